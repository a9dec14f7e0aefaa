"""The worker process: an RQ worker that renews leases, requeues the jobs of a dead work horse, and survives Redis."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

import redis
import rq
import structlog
from flask import Flask
from rq.exceptions import InvalidJobOperation, StopRequested
from rq.job import JobStatus
from rq.serializers import JSONSerializer
from rq.timeouts import HorseMonitorTimeoutException
from rq.worker import WorkerStatus

from speakr.backends import get_backends
from speakr.db import db
from speakr.domain.jobs import Queue
from speakr.jobs import preloading, runner, scratch, watchdog, worker_locks, worker_names
from speakr.services.jobs import recovery
from speakr.services.jobs.quarantine import Cause
from speakr.services.speech import engines
from speakr.services.system import maintenance

logger = structlog.get_logger(__name__)

_LOOK_AFTER_HORSE_SECONDS = 2
_DEQUEUE_SECONDS = 2
_RQ_DEQUEUES_EARLIER_SECONDS = 15
_LOOK_FOR_REDIS_SECONDS = 0.5
_PR_SET_PDEATHSIG = 1
_FROM_OUTSIDE = (signal.SIGKILL, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
"""Signals that another process, or the kernel without memory, sends to a horse; others are its own fault."""

"""The name goes into a column of 80 characters, and Kubernetes makes host names of 63."""


class SpeakrWorker(rq.Worker):
    """An RQ worker that treats the job rows as the truth.

    What Redis stores about it is for display; without Redis the worker still monitors its horse.
    """

    max_connection_wait_time = 2.0
    """Seconds. Redis is back within seconds here; RQ's default sleeps up to a minute."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._mended_at = 0.0
        self.is_stopping = False
        super().__init__(
            [queue.value for queue in Queue],
            name=worker_names.new(),
            connection=get_backends().redis,
            serializer=JSONSerializer,
            worker_ttl=_DEQUEUE_SECONDS + _RQ_DEQUEUES_EARLIER_SECONDS,
            job_monitoring_interval=_LOOK_AFTER_HORSE_SECONDS,
            log_job_description=False,
        )

    # -- in the parent: one horse

    def execute_job(self, job: rq.job.Job, queue: rq.Queue) -> None:
        """Fork a horse for one notification and monitor it until it ends."""
        try:
            self.prepare_execution(job)
        except redis.RedisError:
            logger.warning("redis_away_before_work")
            return  # the notification is lost; maintenance repeats it
        engines.limitation()  # checks the files of the engine's model: once here, and not in each horse
        self.fork_work_horse(job, queue)
        try:
            self.monitor_work_horse(job, queue)
        except BaseException:
            # The parent would no longer renew its leases.
            self.kill_horse()
            self.wait_for_horse()
            raise
        finally:
            self._horse_pid = 0
            self.set_state(WorkerStatus.IDLE)

    def monitor_work_horse(self, job: rq.job.Job, queue: rq.Queue) -> None:
        """Renew the horse's leases while it lives, and requeue its claims if it died.

        RQ's version asks Redis on the way. If Redis is away or has lost the job, that would hide the death.
        """
        wait_status = self._await_end_of_horse(job)
        if wait_status == os.EX_OK:
            return
        self._requeue_claims(wait_status)
        with contextlib.suppress(redis.RedisError, InvalidJobOperation):
            if job.get_status() not in {JobStatus.FINISHED, JobStatus.FAILED}:
                self.handle_job_failure(job, queue=queue, exc_string="The work horse died.")

    def _await_end_of_horse(self, job: rq.job.Job) -> int | None:
        while True:
            if self.is_stopping:  # the signal may have come before the horse was forked
                self.kill_horse()
            with (
                contextlib.suppress(HorseMonitorTimeoutException),
                self.death_penalty_class(self.job_monitoring_interval, HorseMonitorTimeoutException),
            ):
                return self.wait_for_horse()[1]
            self.maintain_heartbeats(job)

    def _requeue_claims(self, wait_status: int | None) -> None:
        """Requeue what the horse had claimed at once instead of waiting for its leases to end."""
        number = None if wait_status is None or not os.WIFSIGNALED(wait_status) else os.WTERMSIG(wait_status)
        logger.warning("work_horse_died", wait_status=wait_status, stopping=self.is_stopping)
        # Stopping a service sends SIGTERM to all its processes, horses too: that is no crash.
        if self.is_stopping or number == signal.SIGTERM:
            self._in_database(lambda: recovery.hand_back(self._claims_as), "take_back")
        else:
            is_killed = wait_status is None or number in _FROM_OUTSIDE
            cause = Cause.KILLED if is_killed else Cause.FAULT
            self._in_database(lambda: recovery.horse_died(self._claims_as, cause), "take_back")
        scratch.sweep()

    @property
    def _claims_as(self) -> str:
        """Return the name under which the present horse claims.

        Each horse has its own: renewing the claims of the present horse must not renew those that a dead one left
        behind.
        """
        return runner.claim_owner(self.name, self.horse_pid)

    def maintain_heartbeats(self, job: rq.job.Job) -> None:
        """Renew the leases of the living horse, even while Redis is away."""
        self._in_database(lambda: recovery.renew(self._claims_as), "renew")
        self._mended_at = time.monotonic()
        self._recover_dead_workers()
        # Without the slow part of maintenance: the next renewal must be in time.
        self._in_database(maintenance.recover_jobs, "recover_jobs")
        with contextlib.suppress(redis.RedisError):
            super().maintain_heartbeats(job)

    def kill_horse(self, sig: signal.Signals = signal.SIGKILL) -> None:
        """Kill the horse and its process group. Right after the fork it is still in the parent's group: then it alone."""
        pid = self.horse_pid
        with contextlib.suppress(ProcessLookupError):
            if pid and os.getpgid(pid) == pid:
                os.killpg(pid, sig)
            elif pid:
                os.kill(pid, sig)

    # -- in the parent, between jobs

    def _in_database(self, action: Callable[[], None], what: str) -> bool:
        """Run an action on rows and close all connections afterwards: none may be open across a fork.

        Return whether it succeeded.
        """
        with self._app.app_context():
            try:
                action()
                return True
            except StopRequested:
                raise
            except Exception:
                if self.is_stopping:
                    # `request_stop` raised in the middle of a query, and the driver made another error of it.
                    raise StopRequested from None
                # Leases outlast a short failure, and the next round follows in seconds.
                logger.exception("worker_upkeep_failed", what=what)
                return False
            finally:
                db.session.remove()
                db.engine.dispose()

    @property
    def should_run_maintenance_tasks(self) -> bool:
        """Run maintenance whenever the queues were empty for a while, and between many short jobs too.

        RQ calls this before it waits for work, so a worker that must stop returns True and stops there: the exception
        that `request_stop` raises may have been lost in a finalizer or in a broad `except`.
        """
        return self.is_stopping or time.monotonic() - self._mended_at > maintenance.EVERY_SECONDS / 2

    def run_maintenance_tasks(self) -> None:
        """Run maintenance, and at intervals let RQ clean its registries."""
        if self.is_stopping:
            raise StopRequested
        self._mended_at = time.monotonic()
        self._recover_dead_workers()
        self._in_database(maintenance.run_maintenance, "run_maintenance")
        if super().should_run_maintenance_tasks:
            with contextlib.suppress(redis.RedisError):
                super().run_maintenance_tasks()  # type: ignore[no-untyped-call] # RQ is half typed

    def _recover_dead_workers(self) -> None:
        """Requeue what killed workers of this machine had claimed."""
        for name in worker_locks.stale():
            logger.warning("worker_died", worker=name)
            if not self._in_database(partial(recovery.worker_died, name), "take_back"):
                return
            scratch.sweep()

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """Stop now: finished chunks are stored, and another worker continues with the rest."""
        self.is_stopping = True
        self.kill_horse()
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call] # RQ is half typed

    # -- in the parent: its display in Redis, which may be away

    def set_state(self, state: str, pipeline: Any = None) -> None:
        """Publish the worker's state."""
        with contextlib.suppress(redis.RedisError):
            super().set_state(state, pipeline)

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Publish that the worker is alive."""
        with contextlib.suppress(redis.RedisError):
            super().heartbeat(timeout, pipeline)

    def teardown(self) -> None:
        """Publish that the worker has ended."""
        with contextlib.suppress(redis.RedisError):
            super().teardown()  # type: ignore[no-untyped-call] # RQ is half typed

    def set_shutdown_requested_date(self) -> None:
        """Publish nothing: RQ calls this inside a signal handler, where no call may block."""

    def check_for_suspension(self, burst: bool) -> None:  # noqa: FBT001 - RQ's signature
        """Never pause: maintenance notifies waiting jobs again, and would pause too."""

    def subscribe(self) -> None:
        """Do not accept commands through Redis: signals suffice, and a process that forks should have one thread."""

    # -- in the horse

    def main_work_horse(self, job: rq.job.Job, queue: rq.Queue) -> None:
        """Run one job in the forked child."""
        runner.claim_as(runner.claim_owner(self.name, os.getpid()))
        _end_with_parent(os.getppid())
        watchdog.enable()
        super().main_work_horse(job, queue)


def _end_with_parent(parent: int) -> None:
    """End this horse when its parent dies: its leases are no longer renewed, so another worker gets its job."""
    if sys.platform == "linux":
        # At once, also inside a library that blocks Python threads (prctl(2)).
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(70)

    threading.Thread(target=watch, daemon=True).start()


def work(app: Flask) -> None:
    """Run a worker until a signal stops it."""
    runner.bind_app(app)
    preloading.preload(get_backends().settings)
    scratch.sweep()
    while True:
        _wait_for_redis()
        try:
            if _work_until_stopped(SpeakrWorker(app)):
                return
        except redis.RedisError:
            logger.warning("redis_away")
        # RQ ends on unexpected errors. No horse runs now, so a restart loses nothing.
        logger.warning("worker_begins_anew")
        time.sleep(_LOOK_FOR_REDIS_SECONDS)


def _work_until_stopped(worker: SpeakrWorker) -> bool:
    """Work; return whether a signal stopped the worker."""
    line = worker_locks.acquire(worker.name)
    try:
        worker.work(logging_level="WARNING")
    finally:
        worker_locks.drop(worker.name, line)
    return worker.is_stopping


def _wait_for_redis() -> None:
    """Wait until Redis answers. A signal ends the process before it starts to work."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    while True:
        with contextlib.suppress(redis.RedisError):
            get_backends().redis.ping()
            return
        time.sleep(_LOOK_FOR_REDIS_SECONDS)
