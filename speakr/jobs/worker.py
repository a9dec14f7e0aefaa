"""The worker process: RQ's, taught to keep our leases, to see a work horse die, and to outlive Redis."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
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
from speakr.jobs import runner, scratch, watchdog, worker_locks
from speakr.services.jobs import recovery
from speakr.services.system import maintenance

logger = structlog.get_logger(__name__)

_LOOK_AFTER_HORSE_SECONDS = 2
_DEQUEUE_SECONDS = 2
_RQ_DEQUEUES_EARLIER_SECONDS = 15
_LOOK_FOR_REDIS_SECONDS = 0.5
_PR_SET_PDEATHSIG = 1
_MAX_HOST_NAME_LENGTH = 40
"""The name goes into a column of 80 characters, and Kubernetes makes host names of 63."""


class SpeakrWorker(rq.Worker):
    """An RQ worker that treats the job rows as the truth.

    What Redis holds about it is for people who look; when Redis is away the horse is looked after all the same.
    """

    max_connection_wait_time = 2.0
    """Redis comes back within seconds here; do not sleep for a minute after it was away."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._mended_at = 0.0
        self.is_stopping = False
        super().__init__(
            [queue.value for queue in Queue],
            name=f"{socket.gethostname()[:_MAX_HOST_NAME_LENGTH]}-{os.getpid()}-{time.time_ns() % 10**9}",
            connection=get_backends().redis,
            serializer=JSONSerializer,
            worker_ttl=_DEQUEUE_SECONDS + _RQ_DEQUEUES_EARLIER_SECONDS,
            job_monitoring_interval=_LOOK_AFTER_HORSE_SECONDS,
            log_job_description=False,
        )

    # -- in the parent: one horse

    def execute_job(self, job: rq.job.Job, queue: rq.Queue) -> None:
        """Fork a horse for one notification and look after it until it ends."""
        try:
            self.prepare_execution(job)
        except redis.RedisError:
            logger.warning("redis_away_before_work")
            return  # the notification is lost; maintenance repeats it
        self.fork_work_horse(job, queue)
        try:
            self.monitor_work_horse(job, queue)
        except BaseException:
            # Nobody would prolong its leases any more.
            self.kill_horse()
            self.wait_for_horse()
            raise
        finally:
            self._horse_pid = 0
            self.set_state(WorkerStatus.IDLE)

    def monitor_work_horse(self, job: rq.job.Job, queue: rq.Queue) -> None:
        """Prolong the horse's leases while it lives, and put back what it held if it died.

        RQ's own version asks Redis on the way, and a Redis that is away or has forgotten the job would hide
        the death.
        """
        wait_status = self._await_end_of_horse(job)
        if wait_status == os.EX_OK:
            return
        self._take_back(wait_status)
        with contextlib.suppress(redis.RedisError, InvalidJobOperation):
            if job.get_status() not in {JobStatus.FINISHED, JobStatus.FAILED}:
                self.handle_job_failure(job, queue=queue, exc_string="The work horse died.")

    def _await_end_of_horse(self, job: rq.job.Job) -> int | None:
        while True:
            if self.is_stopping:  # the signal may have come before there was a horse to kill
                self.kill_horse()
            with (
                contextlib.suppress(HorseMonitorTimeoutException),
                self.death_penalty_class(self.job_monitoring_interval, HorseMonitorTimeoutException),
            ):
                return self.wait_for_horse()[1]
            self.maintain_heartbeats(job)

    def _take_back(self, wait_status: int | None) -> None:
        """Put what the horse held back at once instead of waiting for its lease to end."""
        # Whoever stops a whole service sends SIGTERM to all of it, horses too: that is no crash.
        was_signalled = (
            wait_status is not None
            and os.WIFSIGNALED(wait_status)
            and os.WTERMSIG(wait_status) == signal.SIGTERM
        )
        logger.warning("work_horse_died", wait_status=wait_status, stopping=self.is_stopping)
        recover = recovery.hand_back if self.is_stopping or was_signalled else recovery.horse_died
        self._in_database(lambda: recover(self._claims_as), "take_back")
        scratch.sweep()

    @property
    def _claims_as(self) -> str:
        """The name under which the present horse claims.

        It is the horse's and not the worker's: what a horse has left behind unseen must not be prolonged
        together with what the next one holds.
        """
        return runner.claim_owner(self.name, self.horse_pid)

    def maintain_heartbeats(self, job: rq.job.Job) -> None:
        """Prolong the leases of what the living horse holds; Redis being away does not concern it."""
        self._in_database(lambda: recovery.renew(self._claims_as), "renew")
        self._mended_at = time.monotonic()
        self._recover_dead_workers()
        # Not the slow part of maintenance: the next renewal must be in time.
        self._in_database(maintenance.recover_jobs, "recover_jobs")
        with contextlib.suppress(redis.RedisError):
            super().maintain_heartbeats(job)

    def kill_horse(self, sig: signal.Signals = signal.SIGKILL) -> None:
        """Kill the horse with its group. In the first moment after the fork it is still in ours: then it alone."""
        pid = self.horse_pid
        with contextlib.suppress(ProcessLookupError):
            if pid and os.getpgid(pid) == pid:
                os.killpg(pid, sig)
            elif pid:
                os.kill(pid, sig)

    # -- in the parent: in between

    def _in_database(self, action: Callable[[], None], what: str) -> bool:
        """Do something with rows and close every connection again: none may be open across a fork.

        Returns whether it could be done.
        """
        with self._app.app_context():
            try:
                action()
                return True
            except StopRequested:
                raise
            except Exception:
                # Leases outlast a hiccup, and the next round comes in seconds.
                logger.exception("worker_upkeep_failed", what=what)
                return False
            finally:
                db.session.remove()
                db.engine.dispose()

    @property
    def should_run_maintenance_tasks(self) -> bool:
        """Mend whenever nothing has been to do for a while, and between many short jobs too.

        RQ asks this before it waits for work, so a worker that must stop says yes and stops there: the
        exception that `request_stop` raises may have been lost in a finalizer or in a broad `except`.
        """
        return self.is_stopping or time.monotonic() - self._mended_at > maintenance.EVERY_SECONDS / 2

    def run_maintenance_tasks(self) -> None:
        """Mend, and now and then let RQ clean its registries."""
        if self.is_stopping:
            raise StopRequested
        self._mended_at = time.monotonic()
        self._recover_dead_workers()
        self._in_database(maintenance.run_maintenance, "run_maintenance")
        if super().should_run_maintenance_tasks:
            with contextlib.suppress(redis.RedisError):
                super().run_maintenance_tasks()  # type: ignore[no-untyped-call] # RQ is half typed

    def _recover_dead_workers(self) -> None:
        """Take back what killed workers of this machine held."""
        for name in worker_locks.stale():
            logger.warning("worker_died", worker=name)
            if not self._in_database(partial(recovery.worker_died, name), "take_back"):
                return
            scratch.sweep()

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """Stop now: finished chunks are kept and the rest goes to whoever works next."""
        self.is_stopping = True
        self.kill_horse()
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call] # RQ is half typed

    # -- in the parent: what people see of it in Redis, which may be away

    def set_state(self, state: str, pipeline: Any = None) -> None:
        """Show what the worker does."""
        with contextlib.suppress(redis.RedisError):
            super().set_state(state, pipeline)

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Show that it lives."""
        with contextlib.suppress(redis.RedisError):
            super().heartbeat(timeout, pipeline)

    def teardown(self) -> None:
        """Show that it is gone."""
        with contextlib.suppress(redis.RedisError):
            super().teardown()  # type: ignore[no-untyped-call] # RQ is half typed

    def set_shutdown_requested_date(self) -> None:
        """Show nothing: this is called inside a signal handler, where nothing may be waited for."""

    def check_for_suspension(self, burst: bool) -> None:  # noqa: FBT001 - RQ's signature
        """Never pause: waiting jobs are notified again, by workers that would pause too."""

    def subscribe(self) -> None:
        """Take no orders through Redis; a signal is enough, and a forking process should have one thread."""

    # -- in the horse

    def main_work_horse(self, job: rq.job.Job, queue: rq.Queue) -> None:
        """Run one job in the forked child."""
        runner.claim_as(runner.claim_owner(self.name, os.getpid()))
        _die_with_parent(os.getppid())
        watchdog.enable()
        super().main_work_horse(job, queue)


def _die_with_parent(parent: int) -> None:
    """End this horse when its parent dies: its leases are prolonged no more, so its work is somebody else's."""
    if sys.platform == "linux":
        # At once, also in the middle of a library that does not let our threads run (prctl(2)).
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(70)

    threading.Thread(target=watch, daemon=True).start()


def work(app: Flask) -> None:
    """Run a worker until it is told to stop."""
    runner.bind_app(app)
    scratch.sweep()
    while True:
        _wait_for_redis()
        try:
            if _work_until_stopped(SpeakrWorker(app)):
                return
        except redis.RedisError:
            logger.warning("redis_away")
        # RQ gives up on what it does not expect. There is no horse now, so nothing is lost by beginning anew.
        logger.warning("worker_begins_anew")
        time.sleep(_LOOK_FOR_REDIS_SECONDS)


def _work_until_stopped(worker: SpeakrWorker) -> bool:
    """Work; return whether the worker was told to stop."""
    line = worker_locks.acquire(worker.name)
    try:
        worker.work(logging_level="WARNING")
    finally:
        worker_locks.drop(worker.name, line)
    return worker.is_stopping


def _wait_for_redis() -> None:
    """Wait until Redis answers. A signal ends the process as if it had never worked."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    while True:
        with contextlib.suppress(redis.RedisError):
            get_backends().redis.ping()
            return
        time.sleep(_LOOK_FOR_REDIS_SECONDS)
