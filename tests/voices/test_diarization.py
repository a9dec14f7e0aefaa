"""Diarization of real speech."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pytest

from evaluation.diarization_errors import diarization_errors
from speakr.domain.transcript import Span
from speakr.media.base import SAMPLE_RATE
from speakr.media.speech import find_speech
from speakr.media.voices.diarization import best_path, diarize
from speakr.media.voices.networks import load
from speakr.media.voices.windows import embed_spans, from_json, step_for, to_json
from speakr.model_files.store import shared_folder
from tests.voices.conftest import CLIPS, Talk, read_clip


def errors(talk: Talk, **hints: int) -> float:
    found = [(turn.start, turn.end, turn.speaker) for turn in diarize(talk.windows, **hints).turns]
    return diarization_errors(talk.turns, found, len(talk.samples) / SAMPLE_RATE).rate


def chunk_of(talk: Talk, span: Span) -> dict[str, Any]:
    """Return the stored vectors of one span, as if it were a chunk."""
    samples = talk.samples[round(span.start * SAMPLE_RATE) : round(span.end * SAMPLE_RATE)]
    windows = embed_spans(samples, span.start, [span], 0.8, load(shared_folder()))
    stored: dict[str, Any] = json.loads(json.dumps(to_json(windows)))
    return stored


def test_two_speakers_are_separated(dialogue: Talk) -> None:
    found = diarize(dialogue.windows)
    assert errors(dialogue) <= 5
    assert list(found.voices) == ["SPEAKER_00", "SPEAKER_01"]
    assert found.turns[0].speaker == "SPEAKER_00", "labels go by appearance"
    assert sum(voice.seconds for voice in found.voices.values()) == pytest.approx(
        sum(span.duration for span in dialogue.spans), rel=0.1
    )


def test_one_person_stays_one(monologue: Talk) -> None:
    assert {turn.speaker for turn in diarize(monologue.windows).turns} == {"SPEAKER_00"}


def test_hints_overrule_the_clustering(dialogue: Talk, monologue: Talk) -> None:
    assert len(diarize(dialogue.windows, most=1).voices) == 1
    assert len(diarize(monologue.windows, least=2).voices) == 2
    assert errors(dialogue, least=2, most=2) <= 5


def test_turns_cover_speech_without_overlapping(dialogue: Talk) -> None:
    turns = diarize(dialogue.windows).turns
    assert all(turn.start < turn.end for turn in turns)
    assert all(one.end <= next_one.start for one, next_one in itertools.pairwise(turns))
    for span in dialogue.spans:
        inside = sum(max(0, min(turn.end, span.end) - max(turn.start, span.start)) for turn in turns)
        assert inside >= 0.99 * span.duration


def test_chunks_are_diarized_as_one_recording(dialogue: Talk) -> None:
    parts = from_json([chunk_of(dialogue, span) for span in dialogue.spans])
    found = diarize(parts)
    turns = [(turn.start, turn.end, turn.speaker) for turn in found.turns]
    assert list(found.voices) == ["SPEAKER_00", "SPEAKER_01"]
    assert diarization_errors(dialogue.turns, turns, len(dialogue.samples) / SAMPLE_RATE).rate <= 5


def test_a_chunk_gives_the_same_result_each_time(dialogue: Talk) -> None:
    assert chunk_of(dialogue, dialogue.spans[0]) == chunk_of(dialogue, dialogue.spans[0])


def test_parts_of_an_earlier_model_are_left_out(dialogue: Talk) -> None:
    part = chunk_of(dialogue, dialogue.spans[0])
    assert len(from_json([part | {"model": "earlier"}])) == 0
    del part["model"]
    assert len(from_json([part])) == 0


def test_two_people_at_once_are_an_overlap() -> None:
    reader, machine = (read_clip(CLIPS / name) for name in ("librivox_0870.flac", "flite_slt_01.flac"))
    begin = 4 * SAMPLE_RATE
    mixed = np.zeros(begin + len(machine), np.int32)
    mixed[: len(reader)] += reader
    mixed[begin:] += machine
    samples = np.clip(mixed, -32768, 32767).astype(np.int16)
    found = diarize(embed_spans(samples, 0.0, find_speech(samples), 0.8, load(shared_folder())))
    assert {turn.speaker for turn in found.overlaps} == {"SPEAKER_00", "SPEAKER_01"}
    assert all(4.0 <= turn.start < turn.end <= len(reader) / SAMPLE_RATE for turn in found.overlaps)


def test_without_speech_and_with_little_of_it() -> None:
    assert diarize(from_json([])).turns == ()
    noise = np.random.default_rng(1).integers(-900, 900, SAMPLE_RATE, dtype=np.int16)
    short = embed_spans(noise, 7.0, [Span(7.0, 7.3), Span(7.5, 7.9)], 0.8, load(shared_folder()))
    assert len(short)
    assert all(7.0 <= turn.start < turn.end <= 7.9 for turn in diarize(short).turns)
    silent = embed_spans(np.zeros(SAMPLE_RATE, np.int16), 0.0, [Span(0.0, 1.0)], 0.8, load(shared_folder()))
    assert np.isfinite(silent.vectors).all()


def test_windows_are_fewer_in_long_recordings() -> None:
    assert [step_for(minutes * 60) for minutes in (1, 120, 121, 600)] == [0.8, 0.8, 1.6, 1.6]


def test_a_moment_of_doubt_is_no_change_of_speakers() -> None:
    scores = np.tile([0.8, 0.6], (20, 1))
    scores[7] = [0.6, 0.8]
    assert best_path(scores, 0.32).tolist() == [0] * 20
    scores[5:15] = [0.6, 0.8]
    assert best_path(scores, 0.32).tolist() == [0] * 5 + [1] * 10 + [0] * 5
