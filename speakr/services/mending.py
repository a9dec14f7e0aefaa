"""Everything that puts right what a crash left behind. Harmless at any time, in any number of processes."""

from __future__ import annotations

import threading
import time

import redis
import structlog

from speakr.db import release, unit_of_work
from speakr.services import idempotency, passages, retention, search_index, unwanted_blobs
from speakr.services.jobs import recovery

logger = structlog.get_logger(__name__)

EVERY_SECONDS = 2.0
_SELDOM_SECONDS = 600.0

_PASSAGES_SECONDS = 10.0

_last_seldom = -_SELDOM_SECONDS
_next_passages = 0.0
_one_at_a_time = threading.Lock()


def mend() -> None:
    """Put right whatever there is: `rescue`, then let go of unwanted blobs and old keys, which may take long."""
    if not _one_at_a_time.acquire(blocking=False):
        return
    try:
        rescue()
        unwanted_blobs.clear()
        search_index.catch_up()
        _queue_passages()
        _clean_seldom()
    finally:
        release()
        _one_at_a_time.release()


def rescue() -> None:
    """Requeue what dead workers held, ring lost bells, call for help. A few statements, never slow."""
    try:
        recovery.requeue_expired()
        try:
            recovery.ring_lost()
            recovery.call_for_help()
        except redis.RedisError:
            logger.warning("bells_out_of_reach")
    finally:
        release()


def _queue_passages() -> None:
    """Queue recordings that have none; often while there are some, seldom once all have theirs."""
    global _next_passages  # noqa: PLW0603 - when this process looks again
    if not passages.is_wanted() or time.monotonic() < _next_passages:
        return
    release()
    found = passages.queue_missing()
    _next_passages = time.monotonic() + (_PASSAGES_SECONDS if found else _SELDOM_SECONDS)


def _clean_seldom() -> None:
    global _last_seldom  # noqa: PLW0603 - when this process last did it
    if time.monotonic() - _last_seldom < _SELDOM_SECONDS:
        return
    _last_seldom = time.monotonic()
    with unit_of_work():
        idempotency.forget_old()
    retention.run()
