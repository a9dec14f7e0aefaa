"""One transcript of many chunks: whose labels count, which options were ignored, which segments overlap."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from speakr.domain.transcript import Hints, Segment, Span
from speakr.jobs import assembling
from speakr.jobs import voices as voices_of_chunks
from speakr.jobs.plan import TranscriptionPlan
from speakr.media.voices.windows import Windows, to_json
from speakr.services.speech import transcripts

ANN, BEN = np.eye(2, 192, dtype=np.float32)
COUNTS = ["max_speakers", "min_speakers"]
TWO = Hints(min_speakers=2, max_speakers=2)


def said(start: float, *labels: str) -> list[Segment]:
    """Return segments in which every speaker speaks for three seconds."""
    return [Segment(start + 3 * at, start + 3 * at + 3, "words", label) for at, label in enumerate(labels)]


def voices(start: float, *heard: np.ndarray) -> dict[str, Any]:
    """The voice vectors of as many people, one a second."""
    starts = start + np.arange(3.0 * len(heard))
    vectors = np.repeat(np.stack(heard), 3, axis=0)
    spans = [Span(start + 3.0 * at, start + 3.0 * at + 3.0) for at in range(len(heard))]
    return to_json(Windows(starts, starts + 1.0, vectors, spans, [3] * len(heard)))


def chunk(
    segments: list[Segment], kept: dict[str, Any] | None, *, ignored: list[str], **more: Any
) -> dict[str, Any]:
    return {
        "engine": "first",
        "ignored": ignored,
        "is_diarized": False,
        "start": segments[0].start,
        "end": segments[-1].end,
        "segments": [transcripts.to_json(segment) for segment in segments],
        "language": "en",
        "times_estimated": False,
        "voices": kept,
        **more,
    }


PLAN = TranscriptionPlan(pcm_key="pcm/00/0", duration_seconds=1.0, chunk_count=1)


def assemble(*results: dict[str, Any], hints: Hints = TWO) -> assembling.AssembledTranscript:
    return assembling.assemble(results, PLAN, hints)


def labels(whole: assembling.AssembledTranscript) -> list[str]:
    return [segment.speaker for segment in whole.segments]


def test_speaker_counts_unsupported_by_the_engine_are_applied() -> None:
    whole = assemble(
        chunk(said(0, "SPEAKER_00", "SPEAKER_00"), voices(0, ANN, BEN), ignored=[*COUNTS, "hotwords"])
    )
    assert whole.ignored_options == ["hotwords"]
    assert labels(whole) == ["SPEAKER_00", "SPEAKER_01"]


def test_speaker_counts_are_applied_without_any_words() -> None:
    silent = chunk(said(0, "SPEAKER_00"), voices(0, ANN), ignored=COUNTS) | {"segments": []}
    assert assemble(silent).ignored_options == []


def test_speaker_counts_are_reported_as_ignored_without_diarization() -> None:
    whole = assemble(chunk(said(0, "SPEAKER_00", "SPEAKER_00"), None, ignored=COUNTS))
    assert whole.ignored_options == COUNTS
    assert whole.voices == ()


def test_speaker_counts_are_reported_as_ignored_if_the_engine_decides() -> None:
    told_apart = said(0, "SPEAKER_00", "SPEAKER_01", "SPEAKER_02")
    whole = assemble(chunk(told_apart, voices(0, ANN, BEN, ANN), ignored=COUNTS, is_diarized=True))
    assert whole.ignored_options == COUNTS
    assert labels(whole) == ["SPEAKER_00", "SPEAKER_01", "SPEAKER_02"]


def test_if_only_one_of_two_engines_diarizes_own_voices_decide() -> None:
    """The first starts each chunk with SPEAKER_00, whichever speaker it is; the second reports one speaker only."""
    whole = assemble(
        chunk(said(0, "SPEAKER_00", "SPEAKER_01"), voices(0, ANN, BEN), ignored=[], is_diarized=True),
        chunk(said(10, "SPEAKER_00", "SPEAKER_01"), voices(10, BEN, ANN), ignored=[], is_diarized=True),
        chunk(said(20, "SPEAKER_00", "SPEAKER_00"), voices(20, ANN, BEN), ignored=COUNTS, engine="second"),
    )
    assert labels(whole) == [f"SPEAKER_0{at}" for at in (0, 1, 1, 0, 0, 1)]
    assert [voice.label for voice in whole.voices] == ["SPEAKER_00", "SPEAKER_01"]
    assert whole.ignored_options == []
    assert whole.engines == ["first", "second"]


def test_without_any_voices_no_two_people_get_one_label() -> None:
    """The engine starts each chunk with SPEAKER_00, and no voice shows who that is."""
    chunks = [
        chunk(said(start, "SPEAKER_00", "SPEAKER_01"), None, ignored=[], is_diarized=True)
        for start in (0, 10)
    ]
    assert labels(assemble(*chunks)) == ["SPEAKER_00", "SPEAKER_01", "SPEAKER_02", "SPEAKER_03"]
    helped = chunk(said(20, "SPEAKER_00", "SPEAKER_00"), None, ignored=[], engine="second")
    assert labels(assemble(*chunks, helped))[-2:] == ["SPEAKER_04", "SPEAKER_04"]


def test_without_diarization_any_engine_gives_one_speaker() -> None:
    apart = chunk(said(0, "SPEAKER_00", "SPEAKER_01"), None, ignored=[], is_diarized=True)
    whole = assembling.assemble([apart], replace(PLAN, are_speakers_wanted=False), TWO)
    assert labels(whole) == ["SPEAKER_00", "SPEAKER_00"]
    assert whole.ignored_options == COUNTS


def test_simultaneous_segments_of_an_engine_are_both_marked() -> None:
    both = [
        Segment(0.0, 3.0, "as I was saying", "SPEAKER_00"),
        Segment(2.0, 5.0, "no, wait", "SPEAKER_01"),
        Segment(5.0, 6.0, "please", "SPEAKER_01"),
    ]
    found = assemble(chunk(both, voices(0, ANN, BEN), ignored=[], is_diarized=True)).segments
    assert [(segment.start, segment.overlap) for segment in found] == [(0.0, True), (2.0, True), (5.0, False)]


def test_of_labelled_speakers_a_few_windows_are_enough() -> None:
    long = [Segment(10.0 * at, 10.0 * at + 9, "words", f"SPEAKER_{at % 2:02d}") for at in range(60)]
    spans = voices_of_chunks._samples_of_speakers(long)
    assert len(spans) == 2 * voices_of_chunks.MAX_WINDOWS_PER_SPEAKER
    for number in range(2):
        theirs = [span for span in spans if int(span.start // 10) % 2 == number]
        assert len(theirs) == voices_of_chunks.MAX_WINDOWS_PER_SPEAKER
        assert theirs[-1].start - theirs[0].start > 400
    brief = voices_of_chunks._samples_of_speakers([Segment(1.0, 1.7, "yes"), Segment(2.0, 2.1, "no")])
    assert brief == [Span(1.0, 1.7)]


def with_overlap(kept: dict[str, Any], start: float, end: float, one: Span, other: Span) -> dict[str, Any]:
    """Add an overlap to stored voice vectors; `one` and `other` are where each of its speakers is alone."""
    edges = [[[each.start, each.end]] for each in (one, other)]
    return {**kept, "overlaps": [[start, end, *edges]]}


def test_overlaps_of_the_built_in_diarization_are_marked() -> None:
    vectors = with_overlap(voices(0, ANN, BEN), 2.5, 3.5, Span(0.0, 2.5), Span(3.5, 6.0))
    found = assemble(
        chunk([*said(0, "SPEAKER_00", "SPEAKER_00"), *said(6, "SPEAKER_00")], vectors, ignored=[])
    )
    assert [(each.start, each.speaker, each.overlap) for each in found.segments] == [
        (0.0, "SPEAKER_00", True),
        (3.0, "SPEAKER_01", True),
        (6.0, "SPEAKER_01", False),
    ]


WITH_MODEL = replace(PLAN, voice_step_seconds=0.8)


def test_chunks_of_a_worker_without_the_model_are_embedded_by_the_owner() -> None:
    with_vectors = chunk(said(0, "SPEAKER_00"), voices(0, ANN), ignored=[])
    without = chunk(said(10, "SPEAKER_00"), None, ignored=[])
    of_another_version = chunk(said(20, "SPEAKER_00"), {**voices(20, BEN), "model": "earlier"}, ignored=[])
    results = [with_vectors, without, of_another_version]
    assert assembling.chunks_to_embed(results, WITH_MODEL) == {1: False, 2: False}
    assert assembling.chunks_to_embed(results, PLAN) == {}, "Speakr does not separate the speakers here"


def test_a_few_vectors_are_enough_where_engines_label_all_chunks() -> None:
    sample = {**voices(0, ANN, BEN), "is_sample": True}
    labelled = chunk(said(0, "SPEAKER_00", "SPEAKER_01"), sample, ignored=[], is_diarized=True)
    without = chunk(said(10, "SPEAKER_00", "SPEAKER_01"), None, ignored=[], is_diarized=True)
    assert assembling.chunks_to_embed([labelled, without], WITH_MODEL) == {1: True}
    other_engine = chunk(said(20, "SPEAKER_00"), voices(20, ANN), ignored=[])
    assert assembling.chunks_to_embed([labelled, other_engine], WITH_MODEL) == {0: False}
