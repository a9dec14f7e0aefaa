"""What preparing a transcription found: how its audio was cut, and what is to be done with each chunk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptionPlan:
    """The plan in a TRANSCRIBE job's row. Names of fields are keys of the stored JSON, so they may not change."""

    pcm_key: str
    """The decoded audio: a blob of int16 samples at 16 kHz."""
    duration_seconds: float
    chunk_count: int
    seams: tuple[int, ...] = ()
    """Positions of chunks that were cut from the one before inside speech."""
    overlap: float = 0.0
    """Seconds that both chunks at a seam reach into each other."""
    are_speakers_wanted: bool = True
    voice_step_seconds: float | None = None
    """Distance of the windows of which voice vectors are made; None if speakers are not told apart here."""
    ignored_options: tuple[str, ...] = ()
    """What was asked for and no engine supports; empty until the transcript is complete."""

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """Read a stored plan. Keys of other versions are skipped; keys that are missing have their defaults."""
        known = {field.name: kept[field.name] for field in fields(cls) if field.name in kept}
        for name in ("seams", "ignored_options"):
            known[name] = tuple(known.get(name) or ())
        return cls(**known)

    def to_json(self) -> dict[str, Any]:
        """Return the plan as it is stored."""
        return asdict(self)
