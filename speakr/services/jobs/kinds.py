"""Further steps when a job changes its state, by kind."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pkgutil import resolve_name

from speakr.domain.jobs import KINDS
from speakr.models import Job


def _nothing(_job: Job) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """The steps of a kind of job. Each runs in the transaction of the change of state.

    Success has no step: the handler stores its result in the transaction that ends the job (`claims.succeed`).
    """

    on_queued: Callable[[Job], None] = _nothing
    on_started: Callable[[Job], None] = _nothing
    """Runs when a job is claimed for the first time."""
    on_resumed: Callable[[Job], None] = _nothing
    """Runs when a job is claimed again."""
    on_postponed: Callable[[Job], None] = _nothing
    """Runs when a job is queued again after a transient failure."""
    on_failed: Callable[[Job], None] = _nothing
    on_cancelled: Callable[[Job], None] = _nothing


_NO_STEPS = Steps()


def steps_of(job: Job) -> Steps:
    """Return the steps of a job's kind."""
    kind = KINDS.get(job.kind)
    return _NO_STEPS if kind is None or kind.steps is None else _resolve(kind.steps)


@functools.cache
def _resolve(name: str) -> Steps:
    steps = resolve_name(name)
    if not isinstance(steps, Steps):
        raise TypeError(f"{name} is not a Steps")
    return steps
