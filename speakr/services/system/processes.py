"""Names of processes, by which another process of the same machine or container recognises that one has ended."""

from __future__ import annotations

import os
from pathlib import Path

_STATE, _START_TIME = 0, 19
"""Fields of /proc/PID/stat after the name in parentheses (proc(5))."""


def own_name() -> str | None:
    """Return the name of this process: its PID namespace, its id and its start time; None where there is no /proc."""
    space, started = _namespace(), _started(os.getpid())
    return None if space is None or started is None else f"{space}.{os.getpid()}.{started}"


def has_ended(name: str | None) -> bool:
    """Tell whether a named process is known to have ended. Of one on another machine or in another container nothing is known."""
    space, _, rest = (name or "").partition(".")
    pid, _, started = rest.partition(".")
    if not space or space != _namespace() or not pid.isdigit():
        return False
    return _started(int(pid)) != started


def _namespace() -> str | None:
    """Return the id of this boot and this PID namespace; process ids are unique within it."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", "")
        return f"{boot}-{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return None


def _started(pid: int) -> str | None:
    """Return when a process was started, in clock ticks after the boot; None if it has ended or is a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[_STATE] in {"Z", "X"} else fields[_START_TIME]
