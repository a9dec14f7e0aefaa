"""Assemble a transcript from the results of its chunks: repair seams, label speakers, sort segments.

Each source (a track, or one side of a call) has chunks and speakers of its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any

from speakr.domain import seams, transcript_quality
from speakr.domain.languages import main_language
from speakr.domain.overlaps import mark_overlaps
from speakr.domain.transcript import DEFAULT_SPEAKER_LABEL, Hints, Segment, Span, numbered_label
from speakr.domain.transcript_quality import TranscriptQuality
from speakr.jobs import engine_labels, voices
from speakr.jobs.plan import TranscriptionPlan
from speakr.services.speech import transcripts
from speakr.services.speech.voice_profiles import ProfileVoice

_COUNTS = {"min_speakers", "max_speakers"}
_in_order = attrgetter("start", "end")


@dataclass(frozen=True, slots=True, kw_only=True)
class AssembledTranscript:
    """A complete transcript with its speakers, its engines, and the options that no engine supports."""

    segments: Sequence[Segment]
    voices: Sequence[ProfileVoice]
    language: str | None
    engines: Sequence[str]
    ignored_options: Sequence[str]
    quality: TranscriptQuality


def assemble(
    results: Sequence[Mapping[str, Any]], plan: TranscriptionPlan, hints: Hints
) -> AssembledTranscript:
    """Make one transcript from the results of all chunks, given in the order of their positions."""
    parts = [_label(part, plan, hints) for part in _by_source(results, plan)]
    ignored = {name for result in results for name in result.get("ignored", ())}
    if any(part.are_counts_applied for part in parts):
        ignored -= _COUNTS  # Speakr applied them itself
    if not plan.are_speakers_wanted or len(parts) > 1:
        ignored |= {name for name in _COUNTS if getattr(hints, name)}
    diarized = _together([part.diarized for part in parts])
    segments = mark_overlaps(sorted(diarized.segments, key=_in_order), diarized.overlaps)
    return AssembledTranscript(
        quality=transcript_quality.measure(
            results,
            segments,
            duration_seconds=plan.duration_seconds,
            speech_seconds=plan.speech_seconds,
            signal_to_noise_db=plan.signal_to_noise_db,
        ),
        segments=segments,
        voices=diarized.voices,
        language=_language(results),
        engines=list(dict.fromkeys(result["engine"] for result in results if "engine" in result)),
        ignored_options=sorted(ignored),
    )


def _language(results: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the language of most of the speech; `und` if no engine understood any of it."""
    return main_language(
        (result.get("language"), sum(kept["end"] - kept["start"] for kept in result.get("segments", ())))
        for result in results
    )


@dataclass(frozen=True, slots=True)
class _SourceResults:
    """The results of the chunks of one source, the first of which has the position `first` in the plan."""

    results: Sequence[Mapping[str, Any]]
    first: int
    is_one_speaker: bool
    is_only: bool

    @property
    def has_own_labels(self) -> bool:
        """The labels of the engines decide who speaks; otherwise voice vectors do."""
        return not self.is_one_speaker and engine_labels.are_enough(self.results)


@dataclass(frozen=True, slots=True)
class _Labelled:
    diarized: voices.Diarized
    are_counts_applied: bool


def _by_source(results: Sequence[Mapping[str, Any]], plan: TranscriptionPlan) -> list[_SourceResults]:
    if len(plan.sources) < 2:  # noqa: PLR2004 - one source has all results
        return [_SourceResults(results, 0, is_one_speaker=False, is_only=True)]
    edges = [source.first_chunk for source in plan.sources] + [len(results)]
    return [
        _SourceResults(results[first:last], first, source.is_one_speaker, is_only=False)
        for source, (first, last) in zip(plan.sources, itertools.pairwise(edges), strict=True)
    ]


def _label(part: _SourceResults, plan: TranscriptionPlan, hints: Hints) -> _Labelled:
    """Give the segments of one source their speakers. Counts of speakers are those of the whole recording."""
    kept = [result.get("voices") for result in part.results]
    if not part.is_only:
        one = 1 if part.is_one_speaker else None
        hints = replace(hints, min_speakers=one, max_speakers=one)
    is_labelled = part.has_own_labels
    diarized = voices.separate_speakers(_chunks(part, plan), kept, hints, is_diarized=is_labelled)
    if not plan.are_speakers_wanted:
        diarized = voices.one_speaker(diarized.segments)
    elif part.is_one_speaker:
        diarized = replace(diarized, segments=voices.one_speaker(diarized.segments).segments)
    return _Labelled(diarized, are_counts_applied=part.is_only and not is_labelled and any(kept))


def _together(parts: Sequence[voices.Diarized]) -> voices.Diarized:
    """Give each speaker a number of its own: those of a source come after those of the sources before it."""
    segments: list[Segment] = []
    known: list[ProfileVoice] = []
    overlaps: list[Span] = []
    count = 0
    for part in parts:
        own = (
            sorted({DEFAULT_SPEAKER_LABEL} | {segment.speaker for segment in part.segments})
            if len(parts) > 1
            else []
        )
        names = {label: numbered_label(count + at) for at, label in enumerate(own)}
        segments += [replace(each, speaker=names.get(each.speaker, each.speaker)) for each in part.segments]
        known += [replace(voice, label=names.get(voice.label, voice.label)) for voice in part.voices]
        overlaps += part.overlaps
        count += len(own)
    return voices.Diarized(segments, tuple(known), tuple(sorted(overlaps, key=_in_order)))


def chunks_to_embed(results: Sequence[Mapping[str, Any]], plan: TranscriptionPlan) -> dict[int, bool]:
    """Return the positions of chunks that lack voice vectors, and whether a few of each speaker are enough.

    Vectors are missing if the worker that transcribed the chunk had no model or another version of it. All vectors are
    needed where the labels of the engines are not enough, because the engines of a recording differ.
    """
    if plan.voice_step_seconds is None:
        return {}
    found: dict[int, bool] = {}
    for part in _by_source(results, plan):
        are_few_enough = part.has_own_labels
        for at, result in enumerate(part.results):
            kept = result.get("voices")
            is_sample = bool(kept and kept.get("is_sample"))
            if not voices.is_current(kept) or (is_sample and not are_few_enough and not part.is_one_speaker):
                found[part.first + at] = are_few_enough
    return found


def _chunks(part: _SourceResults, plan: TranscriptionPlan) -> list[list[Segment]]:
    """Return the segments of each chunk; repair the seam between two chunks that were cut inside speech."""
    chunks = [
        sorted((transcripts.from_json(kept) for kept in result.get("segments", ())), key=_in_order)
        for result in part.results
    ]
    if not plan.seams or not plan.overlap:
        return chunks
    hypotheses = [
        seams.RecognizedChunk(result["start"], result["end"], segments, result["times_estimated"])
        for result, segments in zip(part.results, chunks, strict=True)
    ]
    overlaps = [plan.overlap if part.first + at in plan.seams else 0.0 for at in range(1, len(hypotheses))]
    return seams.repair(hypotheses, overlaps)
