"""Assemble a transcript from the results of its chunks: repair seams, label speakers, sort segments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from speakr.domain import seams, transcript_quality
from speakr.domain.overlaps import mark_overlaps
from speakr.domain.transcript import Hints, Segment
from speakr.domain.transcript_quality import TranscriptQuality
from speakr.jobs import voices
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
    kept = [result.get("voices") for result in results]
    is_diarized_whole = are_labels_enough(results)
    diarized = voices.separate_speakers(_chunks(results, plan), kept, hints, is_diarized=is_diarized_whole)
    ignored = {name for result in results for name in result.get("ignored", ())}
    if not is_diarized_whole and any(kept):
        ignored -= _COUNTS  # Speakr applied them itself
    if not plan.are_speakers_wanted:
        diarized = voices.one_speaker(diarized.segments)
        ignored |= {name for name in _COUNTS if getattr(hints, name)}
    segments = mark_overlaps(sorted(diarized.segments, key=_in_order))
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
        language=next((result["language"] for result in results if result.get("language")), None),
        engines=list(dict.fromkeys(result["engine"] for result in results if "engine" in result)),
        ignored_options=sorted(ignored),
    )


def are_labels_enough(results: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether the labels of the engines cover the recording.

    If a second engine without diarization transcribed some chunks, those of the first one do not. Then Speakr's own voice
    vectors decide, if there are any.
    """
    enough = all if any(result.get("voices") for result in results) else any
    return bool(results) and enough(is_diarized(result) for result in results)


def chunks_to_embed(results: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return the positions of chunks of which there are a few voice vectors only, although all are needed."""
    if are_labels_enough(results):
        return []
    kept = [result.get("voices") or {} for result in results]
    return [at for at, vectors in enumerate(kept) if vectors.get("is_sample")]


def is_diarized(result: Mapping[str, Any]) -> bool:
    """Return whether an engine separated speakers. Some do so without declaring it, which shows in their labels."""
    return (
        bool(result.get("is_diarized")) or len({kept["speaker"] for kept in result.get("segments", ())}) > 1
    )


def _chunks(results: Sequence[Mapping[str, Any]], plan: TranscriptionPlan) -> list[list[Segment]]:
    """Return the segments of each chunk; repair the seam between two chunks that were cut inside speech."""
    chunks = [
        sorted((transcripts.from_json(kept) for kept in result.get("segments", ())), key=_in_order)
        for result in results
    ]
    if not plan.seams or not plan.overlap:
        return chunks
    hypotheses = [
        seams.RecognizedWord(result["start"], result["end"], segments, result["times_estimated"])
        for result, segments in zip(results, chunks, strict=True)
    ]
    overlaps = [plan.overlap if at in plan.seams else 0.0 for at in range(1, len(hypotheses))]
    return seams.repair(hypotheses, overlaps)
