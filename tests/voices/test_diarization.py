"""Diarization of real speech."""

from __future__ import annotations

import json

import numpy as np
import pytest

from evaluation.diarization_errors import diarization_errors
from speakr.domain.transcript import Span
from speakr.media.base import SAMPLE_RATE
from speakr.media.voices.diarization import best_path, diarize
from speakr.media.voices.windows import embed_spans, from_json, step_for, to_json
from tests.voices.conftest import Talk


def errors(talk: Talk, **hints: int) -> float:
    found = [(turn.start, turn.end, turn.speaker) for turn in diarize(talk.windows, **hints).turns]
    return diarization_errors(talk.turns, found, len(talk.samples) / SAMPLE_RATE).rate


def test_two_speakers_are_separated(dialogue: Talk) -> None:
    found = diarize(dialogue.windows)
    assert errors(dialogue) <= 5
    assert list(found.voices) == ["SPEAKER_00", "SPEAKER_01"]
    assert found.turns[0].speaker == "SPEAKER_00", "labels go by appearance"
    assert sum(voice.seconds for voice in found.voices.values()) == pytest.approx(
        sum(span.duration for span in dialogue.spans), abs=0.5
    )


def test_one_person_stays_one(monologue: Talk) -> None:
    assert {turn.speaker for turn in diarize(monologue.windows).turns} == {"SPEAKER_00"}


def test_hints_overrule_the_clustering(dialogue: Talk, monologue: Talk) -> None:
    assert len(diarize(dialogue.windows, most=1).voices) == 1
    assert len(diarize(monologue.windows, least=2).voices) == 2
    assert errors(dialogue, least=2, most=2) <= 5


def test_turns_cover_speech_and_nothing_else(dialogue: Talk) -> None:
    turns = diarize(dialogue.windows).turns
    assert all(turn.start < turn.end for turn in turns)
    assert sum(turn.end - turn.start for turn in turns) == pytest.approx(
        sum(span.duration for span in dialogue.spans)
    )


def test_chunks_and_being_kept_change_nothing(dialogue: Talk) -> None:
    kept = []
    for span in dialogue.spans:
        samples = dialogue.samples[round(span.start * SAMPLE_RATE) : round(span.end * SAMPLE_RATE)]
        kept.append(json.loads(json.dumps(to_json(embed_spans(samples, span.start, [span], 0.4)))))
    parts = from_json(kept)
    assert parts.vectors == pytest.approx(dialogue.windows.vectors, abs=1e-3)
    whole, apart = diarize(dialogue.windows).turns, diarize(parts).turns
    assert [turn.speaker for turn in apart] == [turn.speaker for turn in whole]
    assert [turn.start for turn in apart] == pytest.approx([turn.start for turn in whole], abs=0.11)


def test_nothing_said_and_hardly_anything_said() -> None:
    assert diarize(from_json([])).turns == ()
    noise = np.random.default_rng(1).integers(-900, 900, SAMPLE_RATE, dtype=np.int16)
    short = embed_spans(noise, 7.0, [Span(7.0, 7.1), Span(7.2, 7.9)], 0.4)
    assert [(turn.start, turn.end) for turn in diarize(short).turns] == [(7.0, 7.1), (7.2, 7.9)]
    silent = embed_spans(np.zeros(SAMPLE_RATE, np.int16), 0.0, [Span(0.0, 1.0)], 0.4)
    assert np.isfinite(silent.vectors).all()


def test_windows_are_fewer_in_long_recordings() -> None:
    assert [step_for(minutes * 60) for minutes in (1, 20, 21, 120, 600)] == [0.4, 0.4, 0.8, 0.8, 1.6]


def test_a_moment_of_doubt_is_no_change_of_speakers() -> None:
    scores = np.tile([0.8, 0.6], (20, 1))
    scores[7] = [0.6, 0.8]
    assert best_path(scores, 0.32).tolist() == [0] * 20
    scores[5:15] = [0.6, 0.8]
    assert best_path(scores, 0.32).tolist() == [0] * 5 + [1] * 10 + [0] * 5
