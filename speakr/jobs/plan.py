"""The plan of a transcription: how its audio was cut, and how to process each chunk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSource:
    """One channel of sound: where its samples are in the decoded audio, and which chunks are cut from it."""

    first_sample: int
    samples: int
    first_chunk: int
    """Position of its first chunk; they end where those of the next source begin."""
    is_one_speaker: bool
    """It is one channel of several, and all its speech gets one speaker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptionPlan:
    """The plan in a TRANSCRIBE job's row. Field names are keys of the stored JSON, so they may not change."""

    pcm_key: str
    """Key of the blob with the decoded audio: int16 samples at 16 kHz, one source after the other."""
    duration_seconds: float
    chunk_count: int
    seams: tuple[int, ...] = ()
    """Positions of chunks that were cut from the previous one inside speech."""
    overlap: float = 0.0
    """Seconds of audio that both chunks at a seam contain."""
    are_speakers_wanted: bool = True
    voice_step_seconds: float | None = None
    """Seconds between the windows of which voice vectors are made; None if Speakr does not separate the speakers."""
    speech_seconds: float | None = None
    signal_to_noise_db: float | None = None
    expected_at: float | None = None
    """When the work will be done, in seconds since 1970; None if the speed of the engine is unknown."""
    ignored_options: tuple[str, ...] = ()
    """Requested options that no engine supports; empty until the transcript is complete."""
    sources: tuple[PlannedSource, ...] = ()
    """Empty in plans of earlier versions, which know one source."""
    tracks: tuple[Mapping[str, Any], ...] = ()
    """The audio tracks of the file, in the form of the API."""
    warnings: tuple[str, ...] = ()
    skipped_seconds: float = 0.0
    """How much sound was skipped because it is broken."""

    def source_of(self, position: int) -> PlannedSource | None:
        """Return the source of a chunk; None if the plan knows one source only."""
        return next((each for each in reversed(self.sources) if each.first_chunk <= position), None)

    def number_of_speaker(self, position: int) -> int | None:
        """Return the number of a chunk's speaker if its source has one speaker and those before it too."""
        source = self.source_of(position)
        if source is None or len(self.sources) < 2:  # noqa: PLR2004 - one source has the labels it is given
            return None
        before = self.sources[: self.sources.index(source) + 1]
        return len(before) - 1 if all(each.is_one_speaker for each in before) else None

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """Read a stored plan. Skip keys of other versions; use defaults for missing keys."""
        known = {field.name: kept[field.name] for field in fields(cls) if field.name in kept}
        for name in ("seams", "ignored_options", "tracks", "warnings"):
            known[name] = tuple(known.get(name) or ())
        known["sources"] = tuple(PlannedSource(**source) for source in known.get("sources") or ())
        return cls(**known)

    def to_json(self) -> dict[str, Any]:
        """Return the plan in its stored form."""
        return asdict(self)
