"""States of a job, and its retry times."""

from __future__ import annotations

from enum import StrEnum


class JobKind(StrEnum):
    """Kinds of background work on a recording."""

    TRANSCRIBE = "transcribe"
    SUMMARIZE = "summarize"
    EXTRACT = "extract"
    EMBED = "embed"


class JobState(StrEnum):
    """State of a job. The last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class ChunkState(StrEnum):
    """State of one chunk of a job."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"


IN_THE_BACKGROUND = (JobKind.EXTRACT, JobKind.EMBED)
"""Kinds that do not show in a recording's status: the recording is complete before them."""

ACTIVE = (JobState.QUEUED, JobState.RUNNING)

MAX_CRASHES_WITHOUT_PROGRESS = 3
"""A job that kills its work horse this often without progress is quarantined."""

MAX_LOSSES_WITHOUT_PROGRESS = 10
"""The same for vanished workers. Their usual causes are deploys and power cuts, so the limit is higher."""

_FIRST_RETRY_SECONDS = 2.0
_MAX_RETRY_SECONDS = 600.0


def retry_delay_seconds(attempt: int, asked_seconds: float | None = None) -> float:
    """Return the pause after failed attempt number `attempt` (1-based): 2 s, 8 s, 32 s ... at most 10 min.

    A provider's own Retry-After wins when it asks for longer.
    """
    pause = min(_FIRST_RETRY_SECONDS * 4.0 ** (attempt - 1), _MAX_RETRY_SECONDS)
    return max(pause, min(asked_seconds or 0.0, _MAX_RETRY_SECONDS))
