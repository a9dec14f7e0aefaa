"""Assemble a transcript from the results of its chunks: repair seams, label speakers, sort segments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from speakr.domain import seams
from speakr.domain.overlaps import mark_overlaps
from speakr.domain.transcript import UNDETERMINED, Hints, Segment
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


def assemble(
    results: Sequence[Mapping[str, Any]], plan: TranscriptionPlan, hints: Hints
) -> AssembledTranscript:
    """Make one transcript from the results of all chunks, given in the order of their positions."""
    kept = [result.get("voices") for result in results]
    # If a second engine without diarization transcribed some chunks, the labels of the first one do not cover
    # the recording. Then Speakr's own voice vectors decide, if there are any.
    enough = all if any(kept) else any
    is_diarized = bool(results) and enough(_is_diarized(result) for result in results)
    diarized = voices.separate_speakers(_chunks(results, plan), kept, hints, is_diarized=is_diarized)
    ignored = {name for result in results for name in result.get("ignored", ())}
    if not is_diarized and any(kept):
        ignored -= _COUNTS  # Speakr applied them itself
    if not plan.are_speakers_wanted:
        diarized = voices.one_speaker(diarized.segments)
        ignored |= {name for name in _COUNTS if getattr(hints, name)}
    return AssembledTranscript(
        segments=mark_overlaps(sorted(diarized.segments, key=_in_order)),
        voices=diarized.voices,
        language=_language(results),
        engines=list(dict.fromkeys(result["engine"] for result in results if "engine" in result)),
        ignored_options=sorted(ignored),
    )


def _language(results: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the language of most of the speech; `und` if no engine understood any of it.

    At equal length the earlier language counts, so an engine that gives no segments is asked in order.
    """
    seconds: dict[str, float] = {}
    for result in results:
        if language := result.get("language"):
            spoken = sum(kept["end"] - kept["start"] for kept in result.get("segments", ()))
            seconds[language] = seconds.get(language, 0.0) + spoken
    known = [language for language in seconds if language != UNDETERMINED]
    return max(known or seconds, key=lambda language: seconds[language], default=None)


def _is_diarized(result: Mapping[str, Any]) -> bool:
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
