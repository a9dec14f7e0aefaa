"""One process that keeps the others alive and ends them when it ends.

It stays small on purpose: it imports neither Flask nor SQLAlchemy. Code that needs them runs in a child.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable, Sequence
from types import FrameType

from speakr.operations import logs
from speakr.operations.children import Child, adopt_orphans, children_of

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LOOK_AT_LOGS_SECONDS = 30.0
_FOLLOW_SECONDS = 0.3
_POLL_SECONDS = 0.05
_LAST_LOOK_SECONDS = 2.0

GRACE_SECONDS = 5.0
"""Seconds that a child may take to end by itself."""


class StopRequested(Exception):
    """Ctrl-C, or a request to terminate; the message is the name of the signal."""


class Supervisor:
    """Starts children, starts them again when they die, and stops them in order."""

    def __init__(self, tell: Callable[[str], None], follower: logs.Follower | None = None) -> None:
        self._tell = tell
        self._follower = follower
        self._children: list[Child] = []
        self._stop_requests: list[str] = []
        self._logs_seen_at = time.monotonic()
        adopt_orphans()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # only to be woken
        for number in _STOP_SIGNALS:
            signal.signal(number, self._note_stop)

    def _note_stop(self, number: int, _frame: FrameType | None) -> None:
        self._stop_requests.append(signal.Signals(number).name)

    # -- while all is well

    def keep(self, child: Child) -> None:
        """Start a child and keep it alive from now on."""
        self._begin(child)
        child.start()

    def start_task(self, task: Child, *, message: bytes | None = None, answer: int | None = None) -> None:
        """Start a child that runs once."""
        self._begin(task)
        task.start(message=message, answer=answer)

    def _begin(self, child: Child) -> None:
        self._children.append(child)
        if child.log is not None:
            logs.keep_small(child.log)
            if self._follower is not None:
                self._follower.follow(child.log)

    def run_until(self, is_reached: Callable[[], bool], *, seconds: float = float("inf")) -> bool:
        """Supervise the children until a condition is true; return whether it became true in time.

        Raises:
            StopRequested: a signal asked to stop.

        """
        deadline = time.monotonic() + seconds
        while True:
            self._tend()
            if is_reached():
                return True
            if time.monotonic() >= deadline:
                return False
            self._wait(_POLL_SECONDS if seconds < float("inf") else None)

    def run(self) -> None:
        """Supervise the children until a signal asks to stop (raises `StopRequested`)."""
        self.run_until(lambda: False)

    def _tend(self) -> None:
        if self._stop_requests:
            raise StopRequested(self._stop_requests[0])
        for child in self._reap():
            if not child.is_task:
                self._tell_of_death(child, child.plan_restart())
        for child in self._children:
            if child.start_again_at is not None and child.start_again_at <= time.monotonic():
                self._start_again(child)
        self._look_at_logs()

    def _start_again(self, child: Child) -> None:
        try:
            child.start()
        except OSError as error:  # too many processes or too little memory: retry later
            pause = child.plan_restart()
            self._tell(f"{child.name} cannot be started ({error.strerror}). Trying again in {pause:.1f} s.")

    def _tell_of_death(self, child: Child, pause: float) -> None:
        code = child.exit_code or 0
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        where = f"; its log is {child.log}" if child.log is not None else ""
        self._tell(f"{child.name} has ended ({how}){where}. Starting it again in {pause:.1f} s.")

    def _look_at_logs(self) -> None:
        if self._follower is not None:
            self._follower.look()
        if time.monotonic() - self._logs_seen_at > _LOOK_AT_LOGS_SECONDS:
            self._logs_seen_at = time.monotonic()
            for child in self._children:
                if child.log is not None:
                    logs.keep_small(child.log)

    def _wait(self, longest: float | None) -> None:
        """Sleep until a signal arrives, a restart is due or a log needs a check."""
        waits = [_LOOK_AT_LOGS_SECONDS if self._follower is None else _FOLLOW_SECONDS]
        waits += [] if longest is None else [longest]
        waits += [
            child.start_again_at - time.monotonic()
            for child in self._children
            if child.start_again_at is not None
        ]
        select.select([self._wake_read], [], [], max(0.0, min(waits)))
        with contextlib.suppress(BlockingIOError):
            while os.read(self._wake_read, 512):
                pass

    def _reap(self) -> list[Child]:
        """Reap dead processes, adopted orphans included; return the children that died."""
        dead = []
        by_pid = {child.pid: child for child in self._children if child.pid is not None}
        with contextlib.suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                child = by_pid.get(found[0])
                if child is not None:
                    child.ended(os.waitstatus_to_exitcode(found[1]))
                    dead.append(child)
        return dead

    # -- the end

    def stop(self, order: Sequence[Sequence[Child]]) -> None:
        """Stop groups of children one after the other, then whatever is left of them."""
        asked_before = len(self._stop_requests)
        for group in order:
            for child in group:
                child.start_again_at = None
                child.send(signal.SIGTERM)
            deadline = time.monotonic() + GRACE_SECONDS
            while any(child.pid is not None for child in group):
                # A second stop request skips the wait.
                if time.monotonic() > deadline or len(self._stop_requests) > asked_before:
                    break
                self._wait(0.1)
                self._reap()
            for child in group:
                child.send(signal.SIGKILL, to_group=True)
        self._sweep()
        self._look_at_logs()

    def _sweep(self) -> None:
        """Kill all remaining descendants, including grandchildren that this process has adopted."""
        deadline = time.monotonic() + _LAST_LOOK_SECONDS
        while _has_children() and time.monotonic() < deadline:
            for pid in children_of(os.getpid()):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            self._reap()
            time.sleep(0.01)


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True
