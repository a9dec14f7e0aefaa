"""The seconds that a running job still takes."""

from __future__ import annotations

import math

from speakr.domain.clock import now
from speakr.domain.jobs import JobState
from speakr.models import Job


def seconds_left(expected_at: float | None) -> int | None:
    """Return the whole seconds until a time, at least 1: work that takes longer than expected is never over before it is."""
    if expected_at is None:
        return None
    return max(1, math.ceil(expected_at - now().timestamp()))


def of_job(job: Job | None) -> int | None:
    """Return the seconds that a job still takes; None if it does not run, or the speed of its engine is unknown."""
    if job is None or job.state is not JobState.RUNNING:
        return None
    expected = (job.plan or {}).get("expected_at")
    return seconds_left(expected) if isinstance(expected, int | float) else None
