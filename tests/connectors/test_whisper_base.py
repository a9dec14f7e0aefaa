"""Whisper base, the embedded engine's recogniser for other languages than English."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from speakr.connectors.transcription import make_connector, whisper_loading
from speakr.connectors.transcription.base import SAMPLE_RATE, AudioChunk, ChunkContext
from speakr.connectors.transcription.other_languages import make_other_languages
from speakr.connectors.transcription.whisper_base import WhisperBase
from speakr.connectors.transcription.whisper_decoding import Decoder
from speakr.domain.errors import ConnectorRejected, ConnectorUnavailable
from speakr.domain.transcript import UNDETERMINED, Hints, Segment, Span
from speakr.model_files import store
from speakr.model_files.catalogue import WHISPER_BASE
from speakr.settings import Settings
from tests.connectors.conftest import DATA, MakeChunk

pytest.importorskip("faster_whisper", reason="faster-whisper is not installed")
IS_PREPARED = store.is_prepared(store.shared_folder(), WHISPER_BASE)
needs_model = pytest.mark.skipif(not IS_PREPARED, reason="`speakr models prepare whisper-base` was not run")


def chunk_of(samples: np.ndarray, *spans: Span) -> AudioChunk:
    return AudioChunk(samples.astype(np.int16), 0.0, spans or (Span(0.0, len(samples) / SAMPLE_RATE),))


def transcribe(connector: WhisperBase, chunk: AudioChunk, **hints: str):
    streamed: list[Segment] = []
    found = connector.transcribe(chunk, Hints(**hints), streamed.append)
    assert streamed == sorted(found.segments, key=lambda each: each.start)
    return found


@pytest.fixture(scope="module")
def base() -> WhisperBase:
    return WhisperBase(store.shared_folder())


@needs_model
class TestWithTheModel:
    def test_english_is_recognised_with_times(self, base: WhisperBase, make_chunk: MakeChunk) -> None:
        found = transcribe(base, make_chunk("goforward", start=50.0))
        assert (found.language, found.model) == ("en", "whisper-base")
        (segment,) = found.segments
        assert segment.text.lower().startswith("go forward")
        assert 50.0 <= segment.start < segment.end <= 53.0

    def test_the_same_chunk_gives_the_same_result(self, base: WhisperBase, make_chunk: MakeChunk) -> None:
        chunk = make_chunk("cards_001", "goforward")
        first = transcribe(base, chunk)
        transcribe(base, make_chunk("goforward"))
        assert transcribe(base, chunk) == first

    def test_a_telephone_recording_is_recognised(self, base: WhisperBase, make_chunk: MakeChunk) -> None:
        chunk = make_chunk("goforward")
        narrow = np.repeat(chunk.samples[::2], 2)  # 8 kHz, with its mirrored noise
        assert "forward" in transcribe(base, replace(chunk, samples=narrow)).segments[0].text.lower()

    @pytest.mark.parametrize("kind", ["silence", "hiss", "music"])
    def test_nothing_is_invented_where_nobody_speaks(self, base: WhisperBase, kind: str) -> None:
        at = np.arange(10 * SAMPLE_RATE) / SAMPLE_RATE
        chord = sum(np.sin(2 * np.pi * pitch * at) for pitch in (262, 330, 392, 523))
        sounds = {
            "silence": np.zeros_like(at),
            "hiss": np.random.default_rng(1).normal(0, 100, len(at)),
            "music": 1500 * chord,
        }
        found = transcribe(base, chunk_of(sounds[kind]))
        assert [segment.text for segment in found.segments] == []
        assert found.language == UNDETERMINED

    def test_a_wrong_language_gives_words_or_nothing(self, base: WhisperBase, make_chunk: MakeChunk) -> None:
        found = transcribe(base, make_chunk("goforward"), language="ja")
        assert found.language in {"ja", UNDETERMINED}

    @pytest.mark.parametrize("language", ["yue", "eo"])
    def test_a_language_that_the_model_does_not_have_is_refused(
        self, base: WhisperBase, make_chunk: MakeChunk, language: str
    ) -> None:
        with pytest.raises(ConnectorRejected, match=f"does not know the language {language}"):
            transcribe(base, make_chunk("goforward"), language=language)

    def test_the_process_stays_below_500_mb(self) -> None:
        code = f"""
import numpy as np, av
from pathlib import Path
from speakr.connectors.transcription.base import AudioChunk
from speakr.connectors.transcription.whisper_base import WhisperBase
from speakr.domain.transcript import Hints, Span
with av.open({str(DATA / "goforward.flac")!r}) as container:
    clip = np.concatenate([frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)])
samples = np.tile(clip, 40)
spans = tuple(Span(at * len(clip) / 16000, (at + 1) * len(clip) / 16000 - 0.3) for at in range(10))
WhisperBase(Path({str(store.shared_folder())!r})).transcribe(AudioChunk(samples, 0.0, spans), Hints(), print)
status = Path("/proc/self/status").read_text()
print(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])
"""
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert int(done.stdout.split()[-1]) < 500 * 1024


def test_a_model_that_is_not_prepared_is_refused_in_a_sentence(tmp_path: Path, make_chunk: MakeChunk) -> None:
    recogniser = WhisperBase(tmp_path)
    assert not recogniser.is_available()
    with pytest.raises(ConnectorRejected, match="whisper-base is not prepared on this server"):
        transcribe(recogniser, make_chunk("goforward"))


@needs_model
@pytest.mark.parametrize("damage", ["truncated", "changed", "missing"])
def test_a_damaged_model_is_refused_and_not_tried_again(
    tmp_path: Path, make_chunk: MakeChunk, damage: str
) -> None:
    folder = tmp_path / WHISPER_BASE.name
    folder.mkdir()
    for name in WHISPER_BASE.files:
        (folder / name).symlink_to(store.shared_folder() / WHISPER_BASE.name / name)
    model = folder / "model.bin"
    weights = model.read_bytes()
    model.unlink()
    if damage != "missing":
        model.write_bytes(weights[: len(weights) // 2] if damage == "truncated" else b"?" + weights[1:])
    recogniser = WhisperBase(tmp_path)
    assert not recogniser.is_available()
    with pytest.raises(ConnectorRejected, match=r"model\.bin") as raised:
        transcribe(recogniser, make_chunk("goforward"))
    assert str(tmp_path) not in raised.value.message


@pytest.mark.parametrize(
    "error", [RuntimeError("mkl_malloc: failed to allocate memory"), MemoryError(), OSError(12, "ENOMEM")]
)
def test_without_memory_a_model_is_loaded_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("faster_whisper.WhisperModel", fail)
    with pytest.raises(ConnectorUnavailable, match="too little memory"):
        whisper_loading.load_model(tmp_path, "base", device="cpu", compute_type="int8", threads=1)


def test_an_english_only_server_refuses_other_languages(tmp_path: Path, make_chunk: MakeChunk) -> None:
    settings = Settings(secret_key="x" * 40, languages="en", data_dir=tmp_path)
    assert not make_other_languages(settings).is_available()
    assert make_connector(settings).capabilities.languages == {"en"}
    with pytest.raises(ConnectorRejected, match="English only"):
        make_connector(settings).transcribe(make_chunk("goforward"), Hints(language="de"), lambda _: None)


@needs_model
def test_a_server_with_the_model_offers_all_languages(tmp_path: Path) -> None:
    capabilities = make_connector(Settings(secret_key="x" * 40, data_dir=tmp_path)).capabilities
    assert capabilities.languages is None
    assert capabilities.language_detection


def test_an_old_processor_is_reported_before_anything_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    info = tmp_path / "cpuinfo"
    info.write_text("flags\t\t: fpu sse sse2\n")
    assert whisper_loading.unusable_reason(info) == whisper_loading.OLD_PROCESSOR
    info.write_text("flags\t\t: fpu sse sse2 ssse3 sse4_1 avx2\n")
    assert whisper_loading.unusable_reason(info) is None
    assert whisper_loading.unusable_reason(tmp_path / "nothing") is None


def test_no_process_that_forks_or_serves_loads_the_library() -> None:
    code = """
import sys
import speakr.app, speakr.jobs.worker, speakr.jobs.transcribe
from speakr.connectors.transcription import describe
from speakr.settings import Settings
describe(Settings(secret_key="x" * 40))
describe(Settings(secret_key="x" * 40, transcription_connector="whisper"))
print(sorted({"ctranslate2", "faster_whisper", "tokenizers"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# -- decoding, with a model that says what the test wants


class Scripted:
    """A model that detects and writes what it was told, window by window."""

    def __init__(self, detected: list[tuple[str, float]], segments: list[dict[str, object]]) -> None:
        self.model = SimpleNamespace(is_multilingual=True)
        self.detected, self.segments = iter(detected), segments
        self.asked: list[tuple[str, float]] = []
        self.supported_languages = ["en", "de", "jw"]
        self.hf_tokenizer = SimpleNamespace(token_to_id=lambda _token: 1)

    def encode(self, features: object) -> object:
        return features

    def detect_language(self, audio: object) -> tuple[str, float, None]:
        return (*next(self.detected), None)

    def transcribe(self, samples: np.ndarray, **options: object):
        self.asked.append((str(options["language"]), round(len(samples) / SAMPLE_RATE, 1)))
        seconds = len(samples) / SAMPLE_RATE
        word = SimpleNamespace(word=" Wort", start=0.2, end=seconds - 0.2, probability=0.9)
        usual = {
            "start": 0.2, "end": seconds - 0.2, "text": " Wort", "words": [word],
            "avg_logprob": -0.3, "compression_ratio": 1.0,
        }  # fmt: skip
        return [SimpleNamespace(**{**usual, **each}) for each in self.segments], None


def decode(model: Scripted, *spans: Span, **hints: str):
    samples = np.ones(round(spans[-1].end * SAMPLE_RATE), np.int16)
    return Decoder(model).transcribe(AudioChunk(samples, 0.0, spans), Hints(**hints), lambda _: None)


TWO_PACKS = (Span(0.5, 20.0), Span(30.0, 50.0))


def test_each_pack_has_its_own_language_and_the_longer_one_counts() -> None:
    model = Scripted([("en", 0.9), ("de", 0.9)], [{}])
    assert decode(model, *TWO_PACKS).language == "de"
    assert [language for language, _ in model.asked] == ["en", "de"]


def test_an_uncertain_pack_has_the_language_of_the_one_before() -> None:
    model = Scripted([("de", 0.9), ("jw", 0.3)], [{}])
    assert decode(model, *TWO_PACKS).language == "de"
    assert [language for language, _ in model.asked] == ["de", "de"]


@pytest.mark.parametrize(("log_probability", "kept"), [(-0.3, 2), (-0.8, 0)])
def test_where_no_language_is_certain_only_likely_text_is_kept(log_probability: float, kept: int) -> None:
    model = Scripted([("jw", 0.3), ("de", 0.4)], [{"avg_logprob": log_probability}])
    found = decode(model, *TWO_PACKS)
    assert found.language == UNDETERMINED
    assert len(found.segments) == kept


def test_a_requested_language_is_that_of_a_chunk_without_text() -> None:
    assert decode(Scripted([], []), Span(0.0, 5.0), language="de").language == "de"


def test_progress_is_reported_after_each_window_of_a_pack() -> None:
    class Slow(Scripted):
        def transcribe(self, samples: np.ndarray, **options: object):
            (segment,), _ = super().transcribe(samples, **options)

            def windows() -> Iterator[SimpleNamespace]:
                for _ in range(3):
                    reports.append(context.count)
                    yield segment

            return windows(), None

    class Counting(ChunkContext):
        count = 0

        def heartbeat(self) -> None:
            self.count += 1

    reports: list[int] = []
    context = Counting()
    chunk = AudioChunk(np.ones(90 * SAMPLE_RATE, np.int16), 0.0, (Span(0.0, 90.0),), context)
    Decoder(Slow([("de", 0.9)], [{}])).transcribe(chunk, Hints(), lambda _: None)
    assert reports == [0, 1, 2]


@pytest.mark.parametrize("fault", [{"avg_logprob": -1.1}, {"compression_ratio": 2.5}])
def test_invented_text_is_dropped(fault: dict[str, object]) -> None:
    assert decode(Scripted([], [fault]), Span(0.0, 5.0), language="de").segments == ()


def test_repeated_text_is_decoded_again_in_halves() -> None:
    model = Scripted([], [{"compression_ratio": 2.5}])
    decode(model, Span(0.5, 4.0), Span(6.0, 10.0), language="de")
    assert [seconds for _, seconds in model.asked] == [8.1, 3.9, 4.2]


def test_pauses_are_left_out_and_times_are_those_of_the_recording() -> None:
    def word(start: float, end: float) -> SimpleNamespace:
        return SimpleNamespace(word=" Wort", start=start, end=end, probability=0.9)

    # Two seconds of speech, ten of silence, two of speech: with 0.2 s of the pause on each side, 4.6 s in the model.
    words = [word(0.3, 0.8), word(2.5, 3.0)]
    model = Scripted([], [{"words": words, "end": 3.0}])
    found = decode(model, Span(0.2, 2.2), Span(12.2, 14.4), language="de")
    assert model.asked == [("de", 4.8)]
    assert [(segment.start, segment.end) for segment in found.segments] == [
        (pytest.approx(0.3), pytest.approx(0.8)),
        (pytest.approx(12.1), pytest.approx(12.6)),
    ]


def test_a_java_recording_is_asked_for_by_the_name_the_model_has() -> None:
    model = Scripted([], [{}])
    assert decode(model, Span(0.0, 5.0), language="jv").language == "jv"
    assert model.asked[0][0] == "jw"
