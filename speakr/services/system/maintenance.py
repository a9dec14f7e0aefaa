"""Recovery and clean-up after crashes. Any number of processes may run this at any time."""

from __future__ import annotations

import threading
import time

import redis
import structlog

from speakr.db import release, unit_of_work
from speakr.services.corrections import followers
from speakr.services.jobs import recovery
from speakr.services.language import posted_summaries
from speakr.services.recordings import resumable, retention
from speakr.services.search import indexing, passages, wanted_model
from speakr.services.speech import clips, outdated_voices
from speakr.services.system import idempotency, unwanted_blobs
from speakr.services.webhooks import webhook_options, webhooks

logger = structlog.get_logger(__name__)

EVERY_SECONDS = 2.0
_RARE_INTERVAL_SECONDS = 600.0

_PASSAGES_SECONDS = 10.0
_CLIPS_SECONDS = 60.0

_last_rare = -_RARE_INTERVAL_SECONDS
_next_passages = 0.0
_next_voices = 0.0
_next_clips = 0.0
_one_at_a_time = threading.Lock()


def run_maintenance() -> None:
    """Run `recover_jobs`, then the slower tasks: clean-up, indexing and the follow-up of corrections."""
    if not _one_at_a_time.acquire(blocking=False):
        return
    try:
        recover_jobs()
        unwanted_blobs.clear()
        indexing.catch_up()
        followers.queue_due()
        _forget_old_clips()
        _queue_passages()
        _queue_outdated_voices()
        _clean_rarely()
    finally:
        release()
        _one_at_a_time.release()


def recover_jobs() -> None:
    """Requeue the work of dead workers, repeat lost notifications, request helpers. A few statements, never slow."""
    try:
        recovery.requeue_expired()
        try:
            recovery.notify_again()
            recovery.request_helpers()
        except redis.RedisError:
            logger.warning("job_notifier_unreachable")
    finally:
        release()


def _forget_old_clips() -> None:
    """Delete results of clips that were not read in time, and expired summaries, once a minute."""
    global _next_clips  # noqa: PLW0603 - when this process runs this next
    if time.monotonic() < _next_clips:
        return
    _next_clips = time.monotonic() + _CLIPS_SECONDS
    with unit_of_work():
        clips.forget_old()
    with unit_of_work():
        posted_summaries.forget_old()


def _queue_passages() -> None:
    """Queue recordings without passages: often while there are some, rarely once there are none."""
    global _next_passages  # noqa: PLW0603 - when this process runs this next
    if not passages.is_wanted():
        wanted_model.declare()
        return
    if time.monotonic() < _next_passages:
        return
    release()
    found = passages.queue_missing()
    _next_passages = time.monotonic() + (_PASSAGES_SECONDS if found else _RARE_INTERVAL_SECONDS)


def _queue_outdated_voices() -> None:
    """Queue recordings whose voices an earlier model made: often while there are some, rarely once there are none."""
    global _next_voices  # noqa: PLW0603 - when this process runs this next
    if time.monotonic() < _next_voices:
        return
    release()
    found = outdated_voices.queue_outdated()
    _next_voices = time.monotonic() + (_PASSAGES_SECONDS if found else _RARE_INTERVAL_SECONDS)


def _clean_rarely() -> None:
    global _last_rare  # noqa: PLW0603 - when this process last ran this
    if time.monotonic() - _last_rare < _RARE_INTERVAL_SECONDS:
        return
    _last_rare = time.monotonic()
    with unit_of_work():
        idempotency.forget_old()
    with unit_of_work():
        webhooks.erase_old_secrets()
        webhook_options.start_missing_sequences()
    _remove_expired_uploads()
    retention.run()


def _remove_expired_uploads() -> None:
    is_more = True
    while is_more:
        with unit_of_work():
            is_more = resumable.remove_expired() > 0
