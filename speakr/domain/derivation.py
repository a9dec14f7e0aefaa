"""Recordings made of others: which parts of which recordings, in which order. Plain values, kept as a job's options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

MIN_MERGED, MAX_MERGED = 2, 20
"""Recordings in one merge."""
MAX_GAP_SECONDS = 600.0
MIN_SIDE_SECONDS = 0.1
"""Each side of a cut is at least this long."""


@dataclass(frozen=True, slots=True)
class SourcePart:
    """A part of a recording: `start` to `end` in seconds, with the text of a `revision` of its transcript."""

    recording_id: int
    revision: int
    start: float
    end: float
    duration: float
    """Of the whole recording, in seconds."""

    @property
    def seconds(self) -> float:
        """Length of the part."""
        return self.end - self.start


@dataclass(frozen=True, slots=True, kw_only=True)
class Derivation:
    """How a recording is made: the parts one after the other, with `gap_seconds` of silence in between."""

    parts: Sequence[SourcePart]
    gap_seconds: float = 0.0
    has_audio: bool = True
    keep_originals: bool = True
    siblings: Sequence[int] = ()
    """Recordings that are made of the same originals: these are not deleted before all siblings are complete."""

    @property
    def seconds(self) -> float:
        """Length of the result."""
        return round(sum(part.seconds for part in self.parts) + self.gap_seconds * (len(self.parts) - 1), 3)

    @property
    def source_ids(self) -> list[int]:
        """The recordings that it is made of."""
        return [part.recording_id for part in self.parts]

    def with_offsets(self) -> Iterator[tuple[SourcePart, float]]:
        """Yield each part and where it starts in the result, in seconds."""
        offset = 0.0
        for part in self.parts:
            yield part, round(offset, 3)
            offset += part.seconds + self.gap_seconds

    def to_json(self) -> dict[str, Any]:
        """Return the options of the job."""
        return {**asdict(self), "parts": [asdict(part) for part in self.parts]}

    @classmethod
    def from_json(cls, options: Mapping[str, Any]) -> Self:
        """Return what `to_json` wrote."""
        return cls(**{**options, "parts": tuple(SourcePart(**part) for part in options["parts"])})
