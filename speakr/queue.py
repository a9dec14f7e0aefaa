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

from speakr.domain.jobs import KINDS, Queue, awaited_kinds

JOB_PATH = "speakr.jobs.runner.run"
HELPER_PATH = "speakr.jobs.runner.help_with"

WAKE_CHANNEL = "speakr:deliveries"
"""Published to when a delivery may be due; its loss costs a second."""

_FORGET_FAILED_SECONDS = 3600
_FORGET_CHUNK_SECONDS = 60
"""A chunk that ended longer ago no longer wakes anyone: the owner of its job looks for itself every second."""


class JobNotifier(Protocol):
    """What the services need to wake others up."""

    def notify(self, kind: str, job_id: int, ring_count: int) -> None:
        """Ask a worker to look at this job."""
        ...

    def notify_helpers(self, job_id: int, fence: int, count: int) -> None:
        """Ask `count` workers to join in on the chunks of this job; calls that still wait are enough of them."""
        ...

    def chunk_ended(self, job_id: int) -> None:
        """Wake the owner of a job: a chunk that another worker had is done, or free again."""
        ...

    def wait_for_chunk(self, job_id: int, seconds: float) -> None:
        """Wait until `chunk_ended` was called for this job since the last wait, or for so many seconds."""
        ...

    def missing(self, notifications: Sequence[tuple[str, int, int]]) -> list[int]:
        """Return the ids of those jobs whose notification no longer waits in any queue."""
        ...

    def wake_dispatcher(self) -> None:
        """Tell the dispatcher that a delivery was written."""
        ...

    def depth(self) -> int:
        """Return how many waiting notifications need a worker of their own; requests for helpers do not."""
        ...


def _notification_id(kind: str, job_id: int, ring_count: int) -> str:
    # The count is part of the id: RQ remembers failed jobs, and a second notification under an old id is lost.
    return f"{kind}-{job_id}-{ring_count}"


def _chunks_key(job_id: int) -> str:
    return f"speakr:chunks:{job_id}"


class RedisJobNotifier:
    """RQ on Redis."""

    def __init__(self, connection: redis.Redis) -> None:
        self._redis = connection
        self._queues = {
            name: rq.Queue(name, connection=connection, serializer=JSONSerializer, default_timeout=-1)
            for name in Queue
        }

    def _enqueue(self, queue: Queue, path: str, job_id: int, ring_id: str, *, at_front: bool = False) -> None:
        self._queues[queue].enqueue(
            path,
            job_id,
            job_id=ring_id,
            result_ttl=0,
            failure_ttl=_FORGET_FAILED_SECONDS,
            description=ring_id,
            at_front=at_front,
        )

    def notify(self, kind: str, job_id: int, ring_count: int) -> None:
        """Ask a worker to look at this job."""
        # A job that is notified again was running or has waited long: it goes to the front.
        self._enqueue(
            KINDS[kind].queue,
            JOB_PATH,
            job_id,
            _notification_id(kind, job_id, ring_count),
            at_front=ring_count > 1,
        )

    def notify_helpers(self, job_id: int, fence: int, count: int) -> None:
        """Ask `count` workers to join in on the chunks of this job; calls that still wait are enough of them."""
        waiting: int = self._queues[Queue.HELP].count
        for _ in range(count - waiting):
            self._enqueue(Queue.HELP, HELPER_PATH, job_id, f"help-{job_id}-{fence}-{secrets.token_hex(4)}")

    def chunk_ended(self, job_id: int) -> None:
        """Wake the owner of a job: a chunk that another worker had is done, or free again."""
        key = _chunks_key(job_id)
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.lpush(key, b"1")
            pipe.ltrim(key, 0, 0)  # one is enough: the owner looks at all chunks
            pipe.expire(key, _FORGET_CHUNK_SECONDS)
            pipe.execute()

    def wait_for_chunk(self, job_id: int, seconds: float) -> None:
        """Wait until `chunk_ended` was called for this job since the last wait, or for so many seconds."""
        # A list and not a channel: what was pushed before the wait began still ends it.
        self._redis.blpop([_chunks_key(job_id)], timeout=seconds)

    def missing(self, notifications: Sequence[tuple[str, int, int]]) -> list[int]:
        """Return the ids of those jobs whose notification no longer waits in any queue."""
        if not notifications:
            return []
        with self._redis.pipeline(transaction=False) as pipe:
            for kind, job_id, ring_count in notifications:
                pipe.lpos(self._queues[KINDS[kind].queue].key, _notification_id(kind, job_id, ring_count))
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
            for queue in {KINDS[kind].queue for kind in awaited_kinds()}:
                pipe.llen(self._queues[queue].key)
            return sum(pipe.execute())
