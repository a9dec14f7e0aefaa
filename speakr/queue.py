"""Notify workers through RQ. It carries integer ids as JSON; the rows that they name are the truth.

Repeated notifications are harmless, because the second worker finds nothing to claim. Maintenance repeats lost ones, so
nothing here needs to be exact.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Protocol

import redis
import rq
from rq.serializers import JSONSerializer

from speakr.domain.jobs import KINDS, Queue, awaited_kinds

JOB_PATH = "speakr.jobs.runner.run_next"
HELPER_PATH = "speakr.jobs.runner.help_with"

WAKE_CHANNEL = "speakr:deliveries"
"""Channel that is published to when a delivery may be due; a lost message costs a second."""

_FORGET_FAILED_SECONDS = 3600
_FORGET_CHUNK_SECONDS = 60
"""Seconds. Older ends of chunks no longer wake an owner, which looks for itself every second."""


class JobNotifier(Protocol):
    """How services notify workers and the dispatcher."""

    def notify(self, kind: str, job_id: int, ring_count: int) -> None:
        """Notify a worker of this job."""
        ...

    def notify_helpers(self, job_id: int, fence: int, count: int) -> None:
        """Ask `count` workers to help with the chunks of this job; requests that still wait count towards it."""
        ...

    def chunk_ended(self, job_id: int) -> None:
        """Wake the owner of a job: another worker's chunk is done, or free again."""
        ...

    def wait_for_chunk(self, job_id: int, seconds: float) -> None:
        """Wait at most `seconds` until `chunk_ended` was called for this job since the last wait."""
        ...

    def missing(self, notifications: Sequence[tuple[str, int, int]]) -> list[int]:
        """Return the ids of the jobs whose notification is in no queue any more."""
        ...

    def wake_dispatcher(self) -> None:
        """Notify the dispatcher that a delivery was written."""
        ...

    def depth(self) -> int:
        """Return how many notifications wait for a worker; requests for helpers do not count."""
        ...


def _notification_id(kind: str, job_id: int, ring_count: int) -> str:
    # The count is part of the id: RQ remembers failed jobs, and loses a second notification under an old id.
    return f"{kind}-{job_id}-{ring_count}"


def _chunks_key(job_id: int) -> str:
    return f"speakr:chunks:{job_id}"


class RedisJobNotifier:
    """Notifies through RQ on Redis."""

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
        """Notify a worker of this job."""
        # A job that is notified again was running or has waited long, so it goes to the front.
        self._enqueue(
            KINDS[kind].queue,
            JOB_PATH,
            job_id,
            _notification_id(kind, job_id, ring_count),
            at_front=ring_count > 1,
        )

    def notify_helpers(self, job_id: int, fence: int, count: int) -> None:
        """Ask `count` workers to help with the chunks of this job; requests that still wait count towards it."""
        waiting: int = self._queues[Queue.HELP].count
        for _ in range(count - waiting):
            self._enqueue(Queue.HELP, HELPER_PATH, job_id, f"help-{job_id}-{fence}-{secrets.token_hex(4)}")

    def chunk_ended(self, job_id: int) -> None:
        """Wake the owner of a job: another worker's chunk is done, or free again."""
        key = _chunks_key(job_id)
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.lpush(key, b"1")
            pipe.ltrim(key, 0, 0)  # one is enough: the owner looks at all chunks
            pipe.expire(key, _FORGET_CHUNK_SECONDS)
            pipe.execute()

    def wait_for_chunk(self, job_id: int, seconds: float) -> None:
        """Wait at most `seconds` until `chunk_ended` was called for this job since the last wait."""
        # A list and not a channel: an entry that was pushed before the wait still ends it.
        self._redis.blpop([_chunks_key(job_id)], timeout=seconds)

    def missing(self, notifications: Sequence[tuple[str, int, int]]) -> list[int]:
        """Return the ids of the jobs whose notification is in no queue any more."""
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
        """Notify the dispatcher that a delivery was written."""
        self._redis.publish(WAKE_CHANNEL, b"1")

    def depth(self) -> int:
        """Return how many notifications wait for a worker; requests for helpers do not count."""
        with self._redis.pipeline(transaction=False) as pipe:
            for queue in {KINDS[kind].queue for kind in awaited_kinds()}:
                pipe.llen(self._queues[queue].key)
            return sum(pipe.execute())
