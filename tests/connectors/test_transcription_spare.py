"""PocketSphinx, the spare of the embedded engine, on real speech."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evaluation.word_errors import WordErrors, word_errors
from speakr.connectors.transcription.base import SAMPLE_RATE, AudioChunk
from speakr.connectors.transcription.embedded import EmbeddedConnector
from speakr.domain.errors import ConnectorRejected, ConnectorUnavailable
from speakr.domain.transcript import Hints, Segment, Span
from speakr.media.speech import find_speech
from tests.connectors.conftest import MakeChunk, read_clip

CLIPS = ("librivox_0880", "cards_001", "cards_003", "cards_005", "goforward", "flite_slt_01")
NO_MODELS = Path("/nowhere")


@pytest.fixture(scope="module")
def spare() -> EmbeddedConnector:
    """One loaded decoder for all tests: that is also how a work horse uses it."""
    return EmbeddedConnector(NO_MODELS)


def recognize(connector: EmbeddedConnector, chunk: AudioChunk) -> tuple[Segment, ...]:
    return tuple(connector.transcribe(chunk, Hints(), lambda _: None).segments)


def test_word_errors_stay_below_a_generous_bound(
    spare: EmbeddedConnector, make_chunk: MakeChunk, references: dict[str, str]
):
    errors = WordErrors()
    segments = recognize(spare, make_chunk(*CLIPS))
    assert len(segments) == len(CLIPS)
    for name, segment in zip(CLIPS, segments, strict=True):
        errors += word_errors(references[name], " ".join(word.text for word in segment.words))
    assert errors.rate < 35


def test_the_order_of_utterances_does_not_matter(spare: EmbeddedConnector, make_chunk: MakeChunk):
    chunks = [make_chunk(name) for name in ("cards_001", "goforward", "cards_003")]
    forwards = [recognize(spare, chunk) for chunk in chunks]
    backwards = [recognize(spare, chunk) for chunk in reversed(chunks)]
    assert forwards == backwards[::-1]
    fresh = EmbeddedConnector(NO_MODELS)
    assert recognize(fresh, chunks[1]) == forwards[1]


def test_probabilities_separate_sure_words_from_guesses(spare: EmbeddedConnector, make_chunk: MakeChunk):
    words = [word for segment in recognize(spare, make_chunk("cards_005")) for word in segment.words]
    probabilities = [word.probability for word in words if word.probability is not None]
    assert len(probabilities) == len(words)
    assert min(probabilities) < 0.3
    assert max(probabilities) > 0.9
    assert all(0.0 <= probability <= 1.0 for probability in probabilities)


def test_words_are_bare_and_the_text_is_written(spare: EmbeddedConnector, make_chunk: MakeChunk):
    (segment,) = recognize(spare, make_chunk("librivox_0870"))
    for word in segment.words:
        assert re.fullmatch(r"[a-z.'-]+", word.text)
    assert segment.text[0].isupper()
    assert segment.text.endswith(".")
    assert "Mr" in segment.text


def test_times_are_the_recordings(spare: EmbeddedConnector, make_chunk: MakeChunk):
    here = recognize(spare, make_chunk("goforward"))
    there = recognize(spare, make_chunk("goforward", start=3600.0))
    assert [word.text for word in here[0].words] == [word.text for word in there[0].words]
    for early, late in zip(here[0].words, there[0].words, strict=True):
        assert late.start - early.start == pytest.approx(3600.0, abs=0.002)
    # The speaker begins after some 0.4 seconds of silence and ends before the clip does.
    assert 0.2 < here[0].start < 0.8
    assert here[0].end < 2.7


def test_a_span_over_the_edges_is_transcribed_as_far_as_audio_exists(spare: EmbeddedConnector):
    samples = read_clip("goforward")
    chunk = AudioChunk(samples, 50.0, (Span(49.0, 70.0),))
    (segment,) = recognize(spare, chunk)
    assert segment.start >= 50.0
    assert segment.end <= 50.0 + len(samples) / SAMPLE_RATE


def test_two_spans_of_one_chunk_read_like_two_chunks(spare: EmbeddedConnector, make_chunk: MakeChunk):
    together = recognize(spare, make_chunk("cards_001", "cards_003"))
    alone = [recognize(spare, make_chunk(name))[0] for name in ("cards_001", "cards_003")]
    assert [segment.text for segment in together] == [segment.text for segment in alone]
    assert [segment.confidence for segment in together] == pytest.approx(
        [segment.confidence for segment in alone], abs=1e-3
    )


@pytest.mark.parametrize("cut", [1.6, 2.2])
def test_a_cut_inside_a_word_costs_none(spare: EmbeddedConnector, cut: float):
    (speech,) = find_speech(read_clip("flite_slt_01"))
    samples = read_clip("flite_slt_01")[int(speech.start * SAMPLE_RATE) : int(speech.end * SAMPLE_RATE)]
    whole = AudioChunk(samples, 0.0, (Span(0.0, speech.duration),))
    streamed: list[Segment] = []
    halves = replace(whole, spans=(Span(0.0, cut), Span(cut, speech.duration)))
    recognized = spare.transcribe(halves, Hints(), streamed.append).segments
    assert streamed == list(recognized)
    assert len(recognized) == 2
    around = [
        [word.text for each in segments for word in each.words if abs(word.start - cut) < 1.2]
        for segments in (recognized, recognize(spare, whole))
    ]
    assert around[0] == around[1]


@pytest.mark.parametrize("level", [0, 7])
def test_a_dead_line_gives_no_word(spare: EmbeddedConnector, level: int):
    chunk = AudioChunk(np.full(SAMPLE_RATE, level, dtype=np.int16), 0.0, (Span(0.0, 1.0),))
    assert recognize(spare, chunk) == ()


@pytest.mark.parametrize("sample_count", [1, 100, 400, 800])
def test_a_snippet_too_short_for_a_word_gives_none_and_does_no_harm(
    spare: EmbeddedConnector, make_chunk: MakeChunk, sample_count: int
):
    samples = read_clip("goforward")[8000 : 8000 + sample_count].copy()
    samples[0] += 1  # one sample alone is no silence, nor are two equal ones
    chunk = AudioChunk(samples, 0.0, (Span(0.0, sample_count / SAMPLE_RATE),))
    assert recognize(spare, chunk) == ()
    assert len(recognize(spare, make_chunk("goforward"))) == 1


class BrokenDecoder:
    def reinit_feat(self) -> None:
        raise RuntimeError("/usr/lib/model is bad")


def test_a_decoder_that_fails_is_replaced(make_chunk: MakeChunk):
    connector = EmbeddedConnector(NO_MODELS)
    connector._load()._decoder = BrokenDecoder()
    chunk = make_chunk("goforward")
    with pytest.raises(ConnectorUnavailable) as raised:
        recognize(connector, chunk)
    assert "/usr" not in raised.value.message
    assert len(recognize(connector, chunk)) == 1


def test_a_missing_package_gives_a_clear_error(monkeypatch: pytest.MonkeyPatch, make_chunk: MakeChunk):
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    with pytest.raises(ConnectorRejected, match="not installed completely"):
        recognize(EmbeddedConnector(NO_MODELS), make_chunk("goforward"))
