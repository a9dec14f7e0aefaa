"""An engine's own speakers, chunk by chunk."""

from __future__ import annotations

import numpy as np

from speakr.domain.transcript import Segment, Span
from speakr.media.voices.joining import join
from speakr.media.voices.windows import Windows

ANN, BEN = np.eye(2, 192, dtype=np.float32)


def spoken(start: float, *voices: np.ndarray) -> Windows:
    """Return segments in which every speaker speaks for two seconds, with a window a second."""
    starts = start + np.arange(2.0 * len(voices))
    vectors = np.repeat(np.stack(voices), 2, axis=0)
    spans = [Span(start, start + 2.0 * len(voices))]
    return Windows(starts, starts + 1.0, vectors, spans, [len(starts)])


def said(start: float, *labels: str) -> list[Segment]:
    return [Segment(start + 2 * at, start + 2 * at + 2, "words", label) for at, label in enumerate(labels)]


def test_who_sounds_alike_is_one_person_whatever_the_engine_calls_them() -> None:
    segments, voices = join(
        [said(0, "SPEAKER_00", "SPEAKER_01"), said(10, "SPEAKER_00", "SPEAKER_01")],
        [spoken(0, ANN, BEN), spoken(10, BEN, ANN)],
    )
    assert [each.speaker for each in segments] == ["SPEAKER_00", "SPEAKER_01", "SPEAKER_01", "SPEAKER_00"]
    assert {label: voice.seconds for label, voice in voices.items()} == {"SPEAKER_00": 4.0, "SPEAKER_01": 4.0}


def test_two_speakers_of_the_engine_stay_two() -> None:
    segments, _ = join(
        [said(0, "SPEAKER_00"), said(10, "SPEAKER_00", "SPEAKER_01")], [spoken(0, ANN), spoken(10, ANN, ANN)]
    )
    assert [each.speaker for each in segments] == ["SPEAKER_00", "SPEAKER_00", "SPEAKER_01"]


def test_a_label_without_a_clear_voice_is_a_new_speaker() -> None:
    nothing = Windows(np.zeros(0), np.zeros(0), np.zeros((0, 192), np.float32), [], [])
    segments, voices = join([said(0, "SPEAKER_00"), said(10, "SPEAKER_00")], [spoken(0, ANN), nothing])
    assert [each.speaker for each in segments] == ["SPEAKER_00", "SPEAKER_01"]
    assert list(voices) == ["SPEAKER_00"]
