"""The plan of a transcription: how its audio was cut, and how to process each chunk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptionPlan:
    """The plan in a TRANSCRIBE job's row. Field names are keys of the stored JSON, so they may not change."""

    pcm_key: str
    """Key of the blob with the decoded audio: int16 samples at 16 kHz."""
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

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """Read a stored plan. Skip keys of other versions; use defaults for missing keys."""
        known = {field.name: kept[field.name] for field in fields(cls) if field.name in kept}
        for name in ("seams", "ignored_options"):
            known[name] = tuple(known.get(name) or ())
        return cls(**known)

    def to_json(self) -> dict[str, Any]:
        """Return the plan in its stored form."""
        return asdict(self)
