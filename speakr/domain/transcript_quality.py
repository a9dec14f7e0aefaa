"""Figures about a transcript that tell how far it can be relied on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from speakr.domain.transcript import Segment


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptQuality:
    """The quality of one transcript; None is what neither the engine nor the audio tells."""

    confidence: float | None
    """Mean confidence of the segments, 0 to 1, each as heavy as it is long."""
    language_probability: float | None
    """How sure the engine is of the language, 0 to 1."""
    signal_to_noise_db: float | None
    """Level of the speech above the rest of the recording, in decibels."""
    speech_share: float | None
    """Share of the recording in which there is speech, 0 to 1."""
    retried_share: float | None
    """Share of the speech that was implausible and transcribed again, 0 to 1."""
    repaired_share: float | None
    """Share of the speech of which the second transcription was kept, 0 to 1."""
    times_estimated: bool
    """The engine gave no times for at least a part."""

    def to_json(self) -> dict[str, Any]:
        """Return the stored form, with rounded numbers."""
        return {
            name: round(value, 3) if isinstance(value, float) else value
            for name, value in asdict(self).items()
        }


def measure(
    results: Sequence[Mapping[str, Any]],
    segments: Sequence[Segment],
    *,
    duration_seconds: float,
    speech_seconds: float | None,
    signal_to_noise_db: float | None,
) -> TranscriptQuality:
    """Return the quality of a transcript.

    results: of the chunks, in their stored form; an older version stored fewer fields.
    """
    retried, repaired = (
        sum(float(result.get(name) or 0.0) for result in results)
        for name in ("retried_seconds", "repaired_seconds")
    )
    sure = [
        (float(result["language_probability"]), float(result["end"]) - float(result["start"]))
        for result in results
        if result.get("language_probability") is not None
    ]
    certain = [
        (segment.confidence, segment.end - segment.start)
        for segment in segments
        if segment.confidence is not None
    ]
    return TranscriptQuality(
        confidence=_mean(certain),
        language_probability=_mean(sure),
        signal_to_noise_db=signal_to_noise_db,
        speech_share=_share(speech_seconds, duration_seconds),
        retried_share=_share(retried, speech_seconds),
        repaired_share=_share(repaired, speech_seconds),
        times_estimated=any(bool(result.get("times_estimated")) for result in results),
    )


def _share(part: float | None, whole: float | None) -> float | None:
    return None if part is None or not whole else min(1.0, part / whole)


def _mean(weighted: Sequence[tuple[float, float]]) -> float | None:
    if not weighted:
        return None
    total = sum(weight for _, weight in weighted)
    if total <= 0:
        return sum(value for value, _ in weighted) / len(weighted)
    return sum(value * weight for value, weight in weighted) / total
