"""The functions that RQ calls: claim the job that a notification names, run it, and record how it ended."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from functools import partial
from pkgutil import resolve_name

import redis
import structlog
from flask import Flask

from speakr import conflicts
from speakr.backends import get_backends
from speakr.db import release, unit_of_work
from speakr.domain.errors import ClaimLost, JobError, MadeWay, TransientJobError
from speakr.domain.jobs import KINDS
from speakr.jobs import memory_limit, transcribe, worker_names
from speakr.services.jobs import chunks, claims, fairness, quarantine, recovery
from speakr.services.jobs.quarantine import Cause

logger = structlog.get_logger(__name__)

Handler = Callable[[claims.Claim], None]

_MAX_CLAIMS = 20
"""Jobs that other workers claim first before this one gives up; another notification follows."""

_app: Flask | None = None
_claim_owner: str | None = None


def bind_app(app: Flask) -> None:
    """Set the app that the jobs of this process use, and import their handlers. Called before the first fork."""
    global _app  # noqa: PLW0603 - RQ calls functions by name, so the app must be found here
    _app = app
    for kind in KINDS:
        handler_of(kind)


def handler_of(kind: str) -> Handler:
    """Return the function that runs jobs of a kind."""
    handler: Handler = resolve_name(KINDS[kind].handler)
    return handler


def claim_owner(worker: str, horse_pid: int) -> str:
    """Return the name under which a worker's horse claims jobs."""
    return f"{worker}.{horse_pid}"


def claim_as(name: str) -> None:
    """Set the name under which this horse claims jobs; its parent knows the same name."""
    global _claim_owner  # noqa: PLW0603 - as above; a horse runs one job
    _claim_owner = name


def worker_name() -> str:
    """Return the name under which this process claims jobs."""
    return _claim_owner or f"pid-{os.getpid()}"


def _host() -> str:
    """Return the first part of the names of all workers of this machine."""
    return worker_names.host_of(worker_name())


def run_next(job_id: int) -> None:
    """Run the job whose turn it is in the queue of the job that a notification names."""
    if _app is None:
        raise RuntimeError("bind_app() has not been called")
    with _app.app_context():
        held = _claim_next(job_id)
        if held is not None:
            _run(held)


def run(job_id: int) -> None:
    """Run a certain job, if it can still be claimed."""
    if _app is None:
        raise RuntimeError("bind_app() has not been called")
    with _app.app_context():
        held = conflicts.in_unit(lambda: claims.claim(job_id, worker_name()))
        if held is not None:
            _run(held)


def _run(held: claims.Claim) -> None:
    with structlog.contextvars.bound_contextvars(job_id=held.job_id, recording_id=held.recording_id_if_any):
        logger.info("job_claimed", kind=held.kind, fence=held.fence, alone=held.is_alone)
        if held.is_alone and _claim_owner is not None:
            memory_limit.apply()
        _work(held)


def _claim_next(job_id: int) -> claims.Claim | None:
    queue = fairness.queue_of(job_id)
    for _ in range(_MAX_CLAIMS):
        chosen = None if queue is None else fairness.next_due(queue, _host())
        release()
        if chosen is None:
            return None
        held = conflicts.in_unit(partial(claims.claim, chosen, worker_name()))
        if held is not None:  # otherwise another worker was faster: look again
            return held
    return None


def _work(held: claims.Claim) -> None:
    try:
        handler_of(held.kind)(held)
    except ClaimLost:
        logger.info("claim_lost", fence=held.fence)
        return
    except MadeWay:
        logger.info("job_made_way", kind=held.kind)
        _make_way(held)
    except JobError as error:
        _failed(held, error)
    except MemoryError:
        logger.exception("job_out_of_memory")
        _out_of_memory(held)
    except Exception:
        # A bug in Speakr or in a library. It is retried like any passing failure, and logged.
        logger.exception("job_failed_unexpectedly")
        _failed(
            held,
            TransientJobError("Processing failed unexpectedly.", code="internal_error"),
        )
    else:
        logger.info("job_done", kind=held.kind)


def _out_of_memory(held: claims.Claim) -> None:
    release()
    if held.is_alone:
        recovery.horse_died(held.worker, Cause.FAULT)  # it nearly did
    else:
        _failed(held, TransientJobError("The server has too little memory for this.", code="internal_error"))


def _make_way(held: claims.Claim) -> None:
    release()
    try:
        conflicts.in_unit(lambda: claims.make_way(held))
    except ClaimLost:
        logger.info("claim_lost", fence=held.fence)


def _failed(held: claims.Claim, error: JobError) -> None:
    release()
    logger.warning("job_failed", code=error.slug, error=error.message)
    try:
        conflicts.in_unit(lambda: claims.fail(held, error))
    except ClaimLost:
        logger.info("claim_lost", fence=held.fence)


def help_with(job_id: int) -> None:
    """Help with the chunks of a job that another worker owns, until none is left or other jobs wait."""
    if _app is None:
        raise RuntimeError("bind_app() has not been called")
    with _app.app_context(), structlog.contextvars.bound_contextvars(job_id=job_id):
        while True:
            with unit_of_work():
                is_free = not quarantine.is_closed_for_others(_host())
                chunk = chunks.claim_next(job_id, worker_name()) if is_free else None
            if chunk is None:
                return
            try:
                transcribe.run_chunk(chunk)
            except JobError as error:
                # The owner meets the same error, or none, and decides; a helper only stops.
                logger.info("help_ended", code=error.slug)
                release()
                with unit_of_work():
                    chunks.give_back(chunk)
                _wake_owner(job_id)
                return
            _wake_owner(job_id)
            if _must_stop_helping(chunk):
                return


def _wake_owner(job_id: int) -> None:
    with contextlib.suppress(redis.RedisError):  # the owner then looks for itself, only later
        get_backends().notifier.chunk_ended(job_id)


def _must_stop_helping(chunk: chunks.ChunkClaim) -> bool:
    """Return whether to stop helping, because jobs wait for a worker. Ask for a later helper then."""
    try:
        if not get_backends().notifier.depth():
            return False
        get_backends().notifier.notify_helpers(chunk.job_id, chunk.fence, 1)
    except redis.RedisError:
        return False
    return True
