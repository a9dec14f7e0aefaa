"""The embedded engine with its own model on real speech."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs

from evaluation.recordings import OWN, entries, samples_of
from evaluation.word_errors import WordErrors, word_errors
from speakr.connectors.transcription import moonshine_recogniser
from speakr.connectors.transcription.base import SAMPLE_RATE, AudioChunk, OnSegment
from speakr.connectors.transcription.embedded import EmbeddedConnector
from speakr.connectors.transcription.english_gate import is_english
from speakr.domain.errors import ConnectorRejected, ConnectorUnavailable
from speakr.domain.transcript import Hints, Hypothesis, Segment, Span, Word
from speakr.media.speech import find_speech
from speakr.model_files.catalogue import MOONSHINE
from speakr.model_files.store import shared_folder
from tests.connectors.conftest import MakeChunk, read_clip

CLIPS = ("librivox_0880", "cards_001", "cards_003", "cards_005", "goforward", "flite_slt_01")
MODEL = "moonshine-base-en"


def recognize(connector: EmbeddedConnector, chunk: AudioChunk) -> tuple[Segment, ...]:
    return tuple(connector.transcribe(chunk, Hints(), lambda _: None).segments)


def one_span(samples: np.ndarray) -> AudioChunk:
    return AudioChunk(samples, 0.0, (Span(0.0, samples.size / SAMPLE_RATE),))


def test_few_words_are_wrong(embedded: EmbeddedConnector, make_chunk: MakeChunk, references: dict[str, str]):
    errors = WordErrors()
    segments = recognize(embedded, make_chunk(*CLIPS))
    for name, segment in zip(CLIPS, segments, strict=True):
        errors += word_errors(references[name], segment.text.replace("10 ", "ten ").replace("-", " "))
    assert errors.rate < 8


def test_the_text_has_case_and_punctuation(embedded: EmbeddedConnector, make_chunk: MakeChunk):
    result = embedded.transcribe(make_chunk("librivox_0870"), Hints(), lambda _: None)
    (segment,) = result.segments
    assert segment.text.startswith("And Mr. John Dashwood had then leisure")
    assert segment.text == " ".join(word.text for word in segment.words)
    assert segment.words[-1].text == "them."
    assert (result.language, result.model) == ("en", MODEL)


def test_the_order_of_utterances_does_not_matter(embedded: EmbeddedConnector, make_chunk: MakeChunk):
    chunks = [make_chunk(name) for name in ("cards_001", "goforward", "cards_003")]
    forwards = [recognize(embedded, chunk) for chunk in chunks]
    backwards = [recognize(embedded, chunk) for chunk in reversed(chunks)]
    assert forwards == backwards[::-1]
    assert recognize(EmbeddedConnector(), chunks[1]) == forwards[1]


def test_times_are_the_recordings(embedded: EmbeddedConnector, make_chunk: MakeChunk):
    here = recognize(embedded, make_chunk("goforward"))
    there = recognize(embedded, make_chunk("goforward", start=3600.0))
    for early, late in zip(here[0].words, there[0].words, strict=True):
        assert late.start - early.start == pytest.approx(3600.0, abs=0.002)
    # The speaker begins after some 0.4 seconds of silence and ends before the clip does.
    assert 0.2 < here[0].start < 0.8
    assert here[0].end < 2.7


def test_attention_gives_times_where_words_cannot_be_aligned(
    embedded: EmbeddedConnector, make_chunk: MakeChunk, monkeypatch: pytest.MonkeyPatch
):
    chunk = make_chunk("librivox_0870")
    (aligned,) = recognize(embedded, chunk)
    monkeypatch.setattr(embedded._load()._aligner, "_know", lambda *_: False)
    (attended,) = recognize(embedded, chunk)
    assert attended.text == aligned.text
    assert attended != aligned
    apart = [abs(a.start - b.start) for a, b in zip(aligned.words, attended.words, strict=True)]
    assert np.median(apart) < 0.08
    assert all(
        a.start <= a.end <= b.start + 1e-6 for a, b in zip(attended.words, attended.words[1:], strict=False)
    )


@pytest.mark.parametrize("cut", [1.6, 2.2])
def test_a_cut_inside_a_word_costs_none(embedded: EmbeddedConnector, cut: float):
    (speech,) = find_speech(read_clip("flite_slt_01"))
    samples = read_clip("flite_slt_01")[int(speech.start * SAMPLE_RATE) : int(speech.end * SAMPLE_RATE)]
    whole = AudioChunk(samples, 0.0, (Span(0.0, speech.duration),))
    halves = replace(whole, spans=(Span(0.0, cut), Span(cut, speech.duration)))
    recognized = recognize(embedded, halves)
    assert len(recognized) == 2
    assert bare(recognized) == bare(recognize(embedded, whole))


def test_a_span_longer_than_the_model_takes_is_cut_and_joined(
    embedded: EmbeddedConnector, monkeypatch: pytest.MonkeyPatch
):
    clip = read_clip("flite_slt_01")
    chunk = one_span(np.concatenate([clip] * 10))
    lengths: list[float] = []
    recogniser = embedded._load()
    known = recogniser.recognise
    monkeypatch.setattr(
        recogniser,
        "recognise",
        lambda samples, hotwords: lengths.append(samples.size / SAMPLE_RATE) or known(samples, hotwords),
    )
    words = bare(recognize(embedded, chunk))
    assert len(lengths) > 1
    assert max(lengths) <= 28.0
    assert words == bare(recognize(embedded, one_span(clip))) * 10


def bare(segments: Sequence[Segment]) -> list[str]:
    return [word.text.lower().strip(".,?") for segment in segments for word in segment.words]


@pytest.mark.parametrize("level", [0, 7])
def test_a_dead_line_gives_no_word(embedded: EmbeddedConnector, level: int):
    assert recognize(embedded, one_span(np.full(SAMPLE_RATE, level, dtype=np.int16))) == ()


@pytest.mark.parametrize("sample_count", [1, 100, 400, 800, 1700])
def test_a_snippet_too_short_for_a_word_gives_none(embedded: EmbeddedConnector, sample_count: int):
    samples = read_clip("goforward")[8000 : 8000 + sample_count].copy()
    samples[0] += 1  # one sample alone is no silence, nor are two equal ones
    assert recognize(embedded, one_span(samples)) == ()


def test_hotwords_are_recognised_and_spelled_as_given(embedded: EmbeddedConnector):
    entry = next(entry for entry in entries(OWN) if "nextcloud" in entry.get("names", ()))
    samples = samples_of(OWN, entry)
    chunk = AudioChunk(samples, 0.0, tuple(find_speech(samples)))
    hints = Hints(hotwords="NextCloud, DashWood")
    (with_hotwords,) = embedded.transcribe(chunk, hints, lambda _: None).segments
    assert "NextCloud" in with_hotwords.text
    assert "DashWood" not in with_hotwords.text
    (without,) = embedded.transcribe(chunk, Hints(), lambda _: None).segments
    assert "nextcloud" not in without.text.lower()


def test_hotwords_that_were_not_said_change_nothing(embedded: EmbeddedConnector, make_chunk: MakeChunk):
    chunk = make_chunk("librivox_0880")
    hints = Hints(hotwords="Kubernetes, Hewlett, Noteworthy, Illinois, Disposal, Manfred")
    with_hotwords = embedded.transcribe(chunk, hints, lambda _: None)
    assert with_hotwords == embedded.transcribe(chunk, Hints(), lambda _: None)


def test_hotwords_with_accents_are_spelled_as_given(embedded: EmbeddedConnector, make_chunk: MakeChunk):
    hints = Hints(hotwords="Yöung, Fórward")
    (segment,) = embedded.transcribe(make_chunk("librivox_0880"), hints, lambda _: None).segments
    assert "Yöung" in segment.text
    (other,) = embedded.transcribe(make_chunk("goforward"), hints, lambda _: None).segments
    assert "Fórward" in other.text


def test_improbable_hotwords_do_not_make_english_another_language(
    embedded: EmbeddedConnector, monkeypatch: pytest.MonkeyPatch
):
    said = [
        Word("Go", 0, 1, 0.9),
        Word("Zaphod", 1, 2, 0.05),
        Word("Quilter,", 2, 3, 0.05),
        Word("go.", 3, 4, 0.9),
    ]
    monkeypatch.setattr(embedded._load(), "recognise", lambda *_: said)
    chunk = one_span(read_clip("goforward"))
    assert embedded.transcribe(chunk, Hints(hotwords="Zaphod, Quilter"), lambda _: None).language == "en"
    assert embedded.transcribe(chunk, Hints(), lambda _: None).language == "und"


# -- other languages


class German:
    """A recogniser of other languages that takes everything for German."""

    def __init__(self) -> None:
        self.asked: list[Hints] = []

    def is_available(self) -> bool:
        return True

    def transcribe(self, chunk: AudioChunk, hints: Hints, on_segment: OnSegment) -> Hypothesis:
        self.asked.append(hints)
        segment = Segment(chunk.start, chunk.start + 1, "Guten Morgen.")
        on_segment(segment)
        return Hypothesis((segment,), language="de", model="whisper-base")


def foreign() -> AudioChunk:
    """Speech backwards: no English, and not silence."""
    return one_span(read_clip("librivox_0870")[::-1].copy())


def test_speech_in_another_language_gives_no_invented_english(embedded: EmbeddedConnector):
    published: list[Segment] = []
    with capture_logs() as logs:
        result = embedded.transcribe(foreign(), Hints(), published.append)
    assert (result.segments, result.language, published) == ((), "und", [])
    assert "speech_is_not_english" in [entry["event"] for entry in logs]


def test_speech_in_another_language_goes_to_the_other_recogniser():
    other = German()
    connector = EmbeddedConnector(other_languages=other)
    published: list[Segment] = []
    result = connector.transcribe(foreign(), Hints(), published.append)
    assert [segment.text for segment in published] == ["Guten Morgen."]
    assert (result.language, result.model) == ("de", "whisper-base")
    assert connector.capabilities.languages is None
    english = connector.transcribe(one_span(read_clip("goforward")), Hints(), published.append)
    assert (english.language, len(other.asked)) == ("en", 1)


def test_a_named_language_goes_straight_to_the_other_recogniser():
    other = German()
    connector = EmbeddedConnector(other_languages=other)
    hints = Hints(language="de-CH")
    assert connector.transcribe(one_span(read_clip("goforward")), hints, lambda _: None).language == "de"
    assert other.asked == [hints]
    assert connector._recogniser is None  # nothing was loaded for nothing


def test_a_named_language_without_a_recogniser_is_refused(embedded: EmbeddedConnector):
    with pytest.raises(ConnectorRejected, match="English only"):
        embedded.transcribe(one_span(read_clip("goforward")), Hints(language="de"), lambda _: None)


def test_english_that_the_user_named_is_kept(embedded: EmbeddedConnector):
    assert embedded.transcribe(foreign(), Hints(language="en"), lambda _: None).language == "en"


@pytest.mark.parametrize(
    ("probabilities", "expected"),
    [
        ([], True),
        ([0.7] * 5, True),
        ([0.6] * 5, False),
        ([0.55], True),
        ([0.4], False),
        ([0.9, 0.2, 0.3], False),
    ],
)
def test_the_gate_of_english(probabilities: list[float], expected: bool):  # noqa: FBT001 - a parameter of pytest
    assert is_english([Word("w", 0, 1, probability) for probability in probabilities]) is expected


# -- the spare


@pytest.fixture
def copied_models(tmp_path: Path) -> Path:
    shutil.copytree(shared_folder() / MODEL, tmp_path / MODEL)
    return tmp_path


def damage_by_truncation(models: Path) -> None:
    with (models / MODEL / "decoder.onnx").open("r+b") as file:
        file.truncate(1_000_000)


def damage_by_a_flipped_byte(models: Path) -> None:
    with (models / MODEL / "keys.onnx").open("r+b") as file:
        file.seek(5000)
        byte = file.read(1)
        file.seek(5000)
        file.write(bytes([byte[0] ^ 1]))


def damage_by_a_missing_file(models: Path) -> None:
    (models / MODEL / "tokenizer.bin").unlink()


def damage_by_removal(models: Path) -> None:
    shutil.rmtree(models / MODEL)


@pytest.mark.parametrize(
    "damage", [damage_by_truncation, damage_by_a_flipped_byte, damage_by_a_missing_file, damage_by_removal]
)
def test_a_damaged_model_is_replaced_by_the_spare(copied_models: Path, damage, make_chunk: MakeChunk):
    damage(copied_models)
    connector = EmbeddedConnector(copied_models)
    with capture_logs() as logs:
        result = connector.transcribe(make_chunk("cards_003"), Hints(), lambda _: None)
    assert result.model == "pocketsphinx"
    assert "seven" in result.segments[0].text.lower()
    (entry,) = [entry for entry in logs if entry["event"] == "embedded_model_unusable"]
    assert MODEL in entry["reason"]
    assert "PocketSphinx" in (connector.limitation() or "")
    assert str(copied_models) not in (connector.limitation() or "")


def test_the_spare_gets_only_what_is_requested_in_english_if_whisper_is_there(
    tmp_path: Path, make_chunk: MakeChunk
):
    other = German()
    connector = EmbeddedConnector(tmp_path, other_languages=other)
    result = connector.transcribe(make_chunk("cards_003"), Hints(), lambda _: None)
    assert ([segment.text for segment in result.segments], result.language) == (["Guten Morgen."], "de")
    english = connector.transcribe(make_chunk("cards_003"), Hints(language="en"), lambda _: None)
    assert (english.model, english.language, len(other.asked)) == ("pocketsphinx", "en", 1)
    assert "PocketSphinx what is requested in English" in (connector.limitation() or "")


def test_a_spare_alone_says_that_it_knows_no_other_language(tmp_path: Path):
    assert "English words for speech in any language" in (EmbeddedConnector(tmp_path).limitation() or "")


def test_a_runtime_that_cannot_load_the_model_leaves_it_to_the_spare(
    monkeypatch: pytest.MonkeyPatch, make_chunk: MakeChunk
):
    class Unable:
        def __init__(self, _: Path) -> None:
            raise NotImplementedError("MatMulInteger is not implemented on this CPU")

    monkeypatch.setattr(moonshine_recogniser, "Moonshine", Unable)
    with capture_logs() as logs:
        result = EmbeddedConnector().transcribe(make_chunk("cards_003"), Hints(), lambda _: None)
    assert result.model == "pocketsphinx"
    assert "embedded_model_not_loaded" in [entry["event"] for entry in logs]


def test_without_memory_the_model_is_loaded_later_and_the_spare_is_not_used():
    code = """
import resource
import onnxruntime
from speakr.connectors.transcription import moonshine_recogniser
from speakr.connectors.transcription.embedded import EmbeddedConnector
from speakr.domain.errors import ConnectorUnavailable
with open("/proc/self/status") as status:
    used = int(next(line for line in status if line.startswith("VmSize")).split()[1]) * 1024
connector = EmbeddedConnector()
resource.setrlimit(resource.RLIMIT_AS, (used + 40 * 2**20, resource.RLIM_INFINITY))
try:
    connector._load()
except ConnectorUnavailable as error:
    print(error.message)
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(connector._load().model)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = [line for line in done.stdout.splitlines() if "memory." in line or line == MODEL]
    assert lines == [
        "The embedded recogniser cannot be loaded now; the server may have too little memory.",
        MODEL,
    ]


@pytest.mark.parametrize(
    "error", [MemoryError(), OSError(5, "Input/output error"), RuntimeError("std::bad_alloc")]
)
def test_a_passing_failure_of_loading_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, make_chunk: MakeChunk, error: Exception
):
    class Unable:
        def __init__(self, _: Path) -> None:
            raise error

    connector = EmbeddedConnector()
    with monkeypatch.context() as patched:
        patched.setattr(moonshine_recogniser, "Moonshine", Unable)
        with pytest.raises(ConnectorUnavailable):
            recognize(connector, make_chunk("cards_003"))
    assert connector.transcribe(make_chunk("cards_003"), Hints(), lambda _: None).model == MODEL


def test_a_runtime_that_fails_on_a_chunk_is_asked_again_later(
    embedded: EmbeddedConnector, monkeypatch: pytest.MonkeyPatch, make_chunk: MakeChunk
):
    def fail(*_: object) -> None:
        raise RuntimeError("/usr/lib/onnxruntime: bad allocation")

    monkeypatch.setattr(embedded._load()._model, "words", fail)
    with pytest.raises(ConnectorUnavailable) as raised:
        recognize(embedded, make_chunk("goforward"))
    assert "/usr" not in raised.value.message


def test_the_model_that_is_whole_has_no_limitation(embedded: EmbeddedConnector):
    assert embedded.limitation() is None
    assert MOONSHINE.name == MODEL
