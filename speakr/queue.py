"""Notify a worker. RQ carries integer ids as JSON; the rows they name are the truth.

Notifying twice is harmless (the second worker finds nothing to claim), and maintenance repeats a lost
notification, so nothing here needs to be exact.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Protocol

import redis
import rq
from rq.serializers import JSONSerializer

from speakr.domain.jobs import JobKind

SPEECH = "speakr-speech"
LANGUAGE = "speakr-language"
HELP = "speakr-help"
MEANING = "speakr-meaning"

QUEUES = (LANGUAGE, SPEECH, HELP, MEANING)
"""In the order workers look: short work first, what nobody waits for last."""

ROUTES: dict[JobKind, tuple[str, str]] = {
    JobKind.TRANSCRIBE: (SPEECH, "speakr.jobs.runner.run"),
    JobKind.SUMMARIZE: (LANGUAGE, "speakr.jobs.runner.run"),
    JobKind.EXTRACT: (LANGUAGE, "speakr.jobs.runner.run"),
    JobKind.EMBED: (MEANING, "speakr.jobs.runner.run"),
}
HELPER_PATH = "speakr.jobs.runner.help_with"

WAKE_CHANNEL = "speakr:deliveries"
"""Published to when a delivery may be due; its loss costs a second."""

_FORGET_FAILED_SECONDS = 3600


class JobNotifier(Protocol):
    """What the services need to wake others up."""

    def notify(self, kind: JobKind, job_id: int, ring_count: int) -> None:
        """Ask a worker to look at this job."""
        ...

    def notify_helpers(self, job_id: int, fence: int, count: int) -> None:
        """Ask `count` workers to join in on the chunks of this job; calls that still wait are enough of them."""
        ...

    def missing(self, notifications: Sequence[tuple[JobKind, int, int]]) -> list[int]:
        """Return the ids of those jobs whose notification no longer waits in any queue."""
        ...

    def wake_dispatcher(self) -> None:
        """Tell the dispatcher that a delivery was written."""
        ...

    def depth(self) -> int:
        """Return how many waiting notifications need a worker of their own; requests for helpers do not."""
        ...


def _notification_id(kind: JobKind, job_id: int, ring_count: int) -> str:
    # The count is part of the id: RQ remembers failed jobs, and a second notification under an old id is lost.
    return f"{kind.value}-{job_id}-{ring_count}"


class RedisJobNotifier:
    """RQ on Redis."""

    def __init__(self, connection: redis.Redis) -> None:
        self._redis = connection
        self._queues = {
            name: rq.Queue(name, connection=connection, serializer=JSONSerializer, default_timeout=-1)
            for name in QUEUES
        }

    def _enqueue(self, queue: str, path: str, job_id: int, ring_id: str, *, at_front: bool = False) -> None:
        self._queues[queue].enqueue(
            path,
            job_id,
            job_id=ring_id,
            result_ttl=0,
            failure_ttl=_FORGET_FAILED_SECONDS,
            description=ring_id,
            at_front=at_front,
        )

    def notify(self, kind: JobKind, job_id: int, ring_count: int) -> None:
        """Ask a worker to look at this job."""
        queue, path = ROUTES[kind]
        # A job that is notified again was running or has waited long: it goes to the front.
        self._enqueue(
            queue, path, job_id, _notification_id(kind, job_id, ring_count), at_front=ring_count > 1
        )

    def notify_helpers(self, job_id: int, fence: int, count: int) -> None:
        """Ask `count` workers to join in on the chunks of this job; calls that still wait are enough of them."""
        waiting: int = self._queues[HELP].count
        for _ in range(count - waiting):
            self._enqueue(HELP, HELPER_PATH, job_id, f"help-{job_id}-{fence}-{secrets.token_hex(4)}")

    def missing(self, notifications: Sequence[tuple[JobKind, int, int]]) -> list[int]:
        """Return the ids of those jobs whose notification no longer waits in any queue."""
        if not notifications:
            return []
        with self._redis.pipeline(transaction=False) as pipe:
            for kind, job_id, ring_count in notifications:
                pipe.lpos(self._queues[ROUTES[kind][0]].key, _notification_id(kind, job_id, ring_count))
            positions = pipe.execute()
        return [
            job_id
            for (_, job_id, _), position in zip(notifications, positions, strict=True)
            if position is None
        ]

    def wake_dispatcher(self) -> None:
        """Tell the dispatcher that a delivery was written."""
        self._redis.publish(WAKE_CHANNEL, b"1")

    def depth(self) -> int:
        """Return how many waiting notifications need a worker of their own; requests for helpers do not."""
        with self._redis.pipeline(transaction=False) as pipe:
            for name in (LANGUAGE, SPEECH):
                pipe.llen(self._queues[name].key)
            return sum(pipe.execute())
