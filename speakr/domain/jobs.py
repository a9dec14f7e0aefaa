"""The words for a job's life, and when to try again."""

from __future__ import annotations

from enum import StrEnum


class JobKind(StrEnum):
    """What can be done to a recording in the background."""

    TRANSCRIBE = "transcribe"
    SUMMARIZE = "summarize"
    EXTRACT = "extract"
    EMBED = "embed"


class JobState(StrEnum):
    """Where a job stands. The last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class ChunkState(StrEnum):
    """Where one chunk of a job stands."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"


IN_THE_BACKGROUND = (JobKind.EXTRACT, JobKind.EMBED)
"""Kinds of work that do not show in a recording's status: it is complete, and gains more."""

ACTIVE = (JobState.QUEUED, JobState.RUNNING)

MAX_CRASHES_WITHOUT_PROGRESS = 3
"""A file that kills its work horse so often without any progress in between is quarantined."""

MAX_LOSSES_WITHOUT_PROGRESS = 10
"""The same for whole workers that vanished: mostly deploys and power cuts, so more patience."""

_FIRST_RETRY_SECONDS = 2.0
_MAX_RETRY_SECONDS = 600.0


def retry_delay_seconds(attempt: int, asked_seconds: float | None = None) -> float:
    """Return the pause after failed attempt number `attempt` (1-based): 2 s, 8 s, 32 s ... at most 10 min.

    A provider's own Retry-After wins when it asks for longer.
    """
    pause = min(_FIRST_RETRY_SECONDS * 4.0 ** (attempt - 1), _MAX_RETRY_SECONDS)
    return max(pause, min(asked_seconds or 0.0, _MAX_RETRY_SECONDS))
