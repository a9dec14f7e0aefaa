"""Run `child.py`: one new process per untrusted file.

The limits, from the outside in: a deadline of the parent, the kernel's limits on CPU time, memory, file size and open files,
an empty environment, no descriptors except the file's, and a system call filter (`fence.py`) that allows only what decoding
needs. If the kernel refuses the filter, the other limits still apply, and the report says so.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import structlog

from speakr.domain.errors import MediaToolFailed, SpeakrError
from speakr.media.containers import DECODERS, DEMUXERS
from speakr.media.fence import seccomp_filter
from speakr.media.refusals import refusal, too_long

logger = structlog.get_logger(__name__)

CHILD = Path(__file__).with_name("child.py")

MEMORY_BYTES = 2 * 1024**3
OPEN_FILES = 32
REPORT_BYTES = 48 * 1024
"""The longest report we read. A child that writes more than a pipe holds blocks until its time is up."""


@dataclass(frozen=True, slots=True)
class SandboxLimits:
    """Limits for one file."""

    cpu_seconds: float
    wall_seconds: float
    file_bytes: int = 0
    """How large the file that the child writes may become."""

    @classmethod
    def for_reading_all(cls, size_bytes: int, max_seconds: float, file_bytes: int) -> Self:
        """Allow for a file that is read from end to end.

        An hour takes 4 s of one present-day core. Both what a file holds and what we accept bound the CPU
        time: 10 s a megabyte (the sparest codecs put half an hour into one) and 60 s an hour. The wall
        clock gives four times as much, since the machine has other work.
        """
        cpu_seconds = 30 + min(10 * size_bytes / 1e6, 60 * max_seconds / 3600)
        return cls(cpu_seconds=cpu_seconds, wall_seconds=4 * cpu_seconds, file_bytes=file_bytes)


@dataclass(frozen=True, slots=True)
class SandboxReport:
    """The report of a child. Trust `result` as little as the file that the child read."""

    result: Mapping[str, Any]
    network_fenced: bool
    peak_rss_bytes: int


def run(
    task: str,
    source: Path,
    allowance: SandboxLimits,
    *,
    sink_fd: int | None = None,
    script: Path = CHILD,
    others: Sequence[Path] = (),
    **details: Any,
) -> SandboxReport:
    """Run a task on a file in a child process, and wait for it. Cooperates with gevent.

    sink_fd: an open file for the child to write to; others: further files that the task reads after `source`, in the
    order's `source_fds`; details: further parts of the order.

    Raises:
        UnusableMedia: the file is at fault, or costs more than it may.
        MediaToolFailed: the child died for another reason, or its report is unreadable.
        OSError: the file cannot be opened.
    """
    order = {
        "task": task,
        "parent_pid": os.getpid(),
        "filter": (_filter() or b"").hex(),
        "demuxers": ",".join(DEMUXERS),
        "decoders": ",".join(DECODERS),
        "limits": {
            "cpu_seconds": max(1, round(allowance.cpu_seconds)),
            "memory_bytes": MEMORY_BYTES,
            "file_bytes": allowance.file_bytes,
            "open_files": OPEN_FILES + len(others),
        },
        "sink_fd": sink_fd,
        **details,
    }
    with contextlib.ExitStack() as opened:
        source_fds = [opened.enter_context(_opened(path)) for path in (source, *others)]
        passed = source_fds if sink_fd is None else [*source_fds, sink_fd]
        order |= {"source_fd": source_fds[0], "source_fds": source_fds}
        answer = _ask(script, order, passed, allowance.wall_seconds)
    return _understand(answer, order)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    source_fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield source_fd
    finally:
        os.close(source_fd)


@functools.cache
def _filter() -> bytes | None:
    return seccomp_filter()


def _ask(script: Path, order: Mapping[str, Any], passed: Sequence[int], wall_seconds: float) -> bytes:
    """Start the child, wait until it has ended or kill it at the deadline, and return its output."""
    deadline = time.monotonic() + wall_seconds
    answer_fd, speak_fd = os.pipe()
    with os.fdopen(answer_fd, "rb", buffering=0) as answer:
        try:
            child = _start(script, order, passed, speak_fd)
        finally:
            os.close(speak_fd)
        try:
            _await_end(child, answer_fd, deadline)
        except subprocess.TimeoutExpired:
            raise refusal("too_expensive") from None
        finally:
            _make_end(child)
        if child.returncode == -signal.SIGXCPU:
            raise refusal("too_expensive")
        if child.returncode == -signal.SIGSYS:
            logger.warning("media_child_made_forbidden_call", task=order["task"])
            raise refusal("hostile")
        if child.returncode != 0:
            logger.warning("media_child_died", task=order["task"], return_code=child.returncode)
            raise MediaToolFailed("Reading this file failed; it may work on another try.")
        # All writers are gone, so this is what the pipe holds, or nothing.
        return answer.read(REPORT_BYTES) or b""


def _start(
    script: Path, order: Mapping[str, Any], passed: Sequence[int], speak_fd: int
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own interpreter and our own script
        [sys.executable, "-I", str(script), json.dumps(order)],
        stdin=subprocess.DEVNULL,
        stdout=speak_fd,
        stderr=subprocess.DEVNULL,
        pass_fds=passed,
        env={},
        cwd="/",
        start_new_session=True,
    )


def _await_end(child: subprocess.Popen[bytes], answer_fd: int, deadline: float) -> None:
    """Wait for the answer, which is prompt, and then for the exit, which polls and soon follows."""
    with selectors.DefaultSelector() as selector:
        selector.register(answer_fd, selectors.EVENT_READ)
        selector.select(max(0.0, deadline - time.monotonic()))
    child.wait(timeout=max(0.0, deadline - time.monotonic()))


def _make_end(child: subprocess.Popen[bytes]) -> None:
    """Kill the child, also when this process is interrupted."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _understand(answer: bytes, order: Mapping[str, Any]) -> SandboxReport:
    try:
        reply = json.loads(answer)
        fault = reply.get("problem")
        report = SandboxReport(
            reply.get("result") or {}, reply["network_fenced"] is True, int(reply["peak_rss_bytes"])
        )
        problem = None if fault is None else _fault(fault, str(reply.get("codec") or ""), order)
    except (ValueError, KeyError, TypeError, AttributeError):
        logger.warning("media_child_unclear", task=order["task"])
        raise MediaToolFailed("Reading this file failed; it may work on another try.") from None
    if not report.network_fenced:
        _warn_of_missing_fence()
    if problem is not None:
        raise problem
    return report


def _fault(fault: str, codec: str, order: Mapping[str, Any]) -> SpeakrError:
    if fault == "no_space":
        return MediaToolFailed("The server has no room left to work on this file.", code="out_of_space")
    return too_long(order["max_seconds"]) if fault == "too_long" else refusal(fault, codec)


@functools.cache
def _warn_of_missing_fence() -> None:
    """Log it once per process."""
    logger.warning("media_child_without_system_call_filter")
