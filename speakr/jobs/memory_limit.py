"""Limit the memory of a work horse that runs a job in quarantine: it then fails by itself, before the kernel kills others."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import structlog

from speakr.backends import get_backends

logger = structlog.get_logger(__name__)

_KIB = 1024
_MIB = 1024 * 1024
_SHARE_OF_AVAILABLE = 0.8


def apply() -> None:
    """Limit the private memory of this process (RLIMIT_DATA, setrlimit(2)) to the setting, or to most of what is available."""
    limit = get_backends().settings.quarantine_memory_mb * _MIB or _available_bytes()
    if limit is None:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))
        logger.info("memory_limited", mib=limit // _MIB)


def _available_bytes(root: Path = Path("/")) -> int | None:
    """Return what this process has and may get, or None where the kernel does not tell (proc(5), cgroups(7))."""
    used, machine = (
        _field(root / "proc/self/status", "VmData:"),
        _field(root / "proc/meminfo", "MemAvailable:"),
    )
    if used is None or machine is None:
        return None
    available = min([machine * _KIB, *_left_in_groups(root)])
    return used * _KIB + int(available * _SHARE_OF_AVAILABLE)


def _left_in_groups(root: Path) -> Iterator[int]:
    """Yield the bytes that each limited control group of this process, such as that of its container, has left."""
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        files = _VERSION_1 if controllers else _VERSION_2
        # Inside a container the path may be one of the machine's: the container's own group is then mounted at the top.
        for group in (PurePosixPath(path), *PurePosixPath(path).parents):
            left = files.left(root / files.mount / str(group).lstrip("/"))
            if left is not None:
                yield left


@dataclass(frozen=True, slots=True)
class _Files:
    """The names of the files of a control group, and where the groups are mounted."""

    mount: str
    limit: str
    usage: str
    reclaimable: str
    """The field of `memory.stat` with the bytes of cached files that the kernel frees when memory runs short."""

    def left(self, group: Path) -> int | None:
        """Return the bytes that a group has left, or None if it has no limit."""
        limit, usage = (_number(_lines(group / name)) for name in (self.limit, self.usage))
        if limit is None or usage is None:
            return None
        return max(0, limit - usage + (_field(group / "memory.stat", self.reclaimable) or 0))


_VERSION_1 = _Files(
    "sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
)
_VERSION_2 = _Files("sys/fs/cgroup", "memory.max", "memory.current", "inactive_file")


def _number(lines: list[str]) -> int | None:
    return int(lines[0]) if lines and lines[0].isdecimal() else None  # `max`: no limit


def _field(path: Path, name: str) -> int | None:
    found = [line.split() for line in _lines(path) if line.startswith(name)]
    return next((int(words[1]) for words in found if words[0] == name), None)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
