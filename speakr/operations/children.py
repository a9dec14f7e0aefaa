"""Child processes that cannot outlive their supervisor."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36

_FIRST_PAUSE_SECONDS = 0.2
_MAX_PAUSE_SECONDS = 10.0
_PROVEN_AFTER_SECONDS = 10.0
"""A child that has run this long did not die at start; its next pause is the shortest again."""

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
"""Loaded here, because a freshly forked child must not load libraries."""


def die_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process when its parent dies (prctl(2), PR_SET_PDEATHSIG; Linux only)."""
    if _libc is None:
        return
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before we could ask
        os._exit(1)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent dies (prctl(2), PR_SET_CHILD_SUBREAPER; Linux only)."""
    if _libc is not None:
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)


def children_of(pid: int) -> list[int]:
    """Return the ids of a process's children, including zombies (proc(5); Linux only)."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # "id (name) state parent ...", and a name may hold blanks and brackets
            if int(entry.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(entry.parent.name))
    return found


@dataclass(slots=True, eq=False)
class Child:
    """One process to be kept alive, or with `is_task` to be run once."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path | None = None
    """Where its output goes; None leaves it the terminal."""
    descriptors: Sequence[int] = ()
    """Open files it inherits under the same numbers."""
    is_task: bool = False
    on_repeated_failure: Callable[[], None] | None = None
    """Called once when it has died at start three times in a row."""

    pid: int | None = field(default=None, init=False)
    exit_code: int | None = field(default=None, init=False)
    start_again_at: float | None = field(default=None, init=False)
    """On the monotonic clock; None while it runs or is not wanted."""
    _failures: int = field(default=0, init=False)
    _started_at: float = field(default=0.0, init=False)
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self, *, message: bytes | None = None, answer: int | None = None) -> None:
        """Start it; a task may be given a message on its input and a descriptor for its output."""
        supervisor = os.getpid()
        with contextlib.ExitStack() as files:
            log = files.enter_context(self.log.open("ab")) if self.log else None
            process = subprocess.Popen(  # noqa: S603 - our own command lines
                self.command,
                env=self.environment,
                stdin=subprocess.DEVNULL if message is None else subprocess.PIPE,
                stdout=log if answer is None else answer,
                stderr=log,
                pass_fds=self.descriptors,
                process_group=0,  # Ctrl-C is for the supervisor, who stops the others in order
                preexec_fn=lambda: die_with_parent(supervisor),  # noqa: PLW1509 - the supervisor has one thread
            )
        self._process, self.pid, self.exit_code, self.start_again_at = process, process.pid, None, None
        self._started_at = time.monotonic()
        if message is not None and process.stdin is not None:
            with contextlib.suppress(BrokenPipeError), process.stdin as stream:
                stream.write(message)

    def ended(self, exit_code: int) -> None:
        """Record its end, and kill the rest of its process group."""
        self.send(signal.SIGKILL, to_group=True)
        if self._process is not None:
            self._process.returncode = exit_code  # the supervisor reaped it, so `subprocess` cannot know
        self.pid, self.exit_code = None, exit_code

    def plan_restart(self) -> float:
        """Decide when to start it again; return the pause in seconds."""
        if time.monotonic() - self._started_at > _PROVEN_AFTER_SECONDS:
            self._failures = 0
        pause: float = min(_FIRST_PAUSE_SECONDS * 2**self._failures, _MAX_PAUSE_SECONDS)
        self._failures += 1
        if self._failures == 3 and self.on_repeated_failure is not None:  # noqa: PLR2004 - see the field
            self.on_repeated_failure()
        self.start_again_at = time.monotonic() + pause
        return pause

    def send(self, number: signal.Signals, *, to_group: bool = False) -> None:
        """Send a signal to the child, or to its process group, if it is still there."""
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                (os.killpg if to_group else os.kill)(self.pid, number)
