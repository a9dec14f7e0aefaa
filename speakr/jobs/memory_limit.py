"""Limit the memory of a work horse that runs a job in quarantine: it then fails by itself, before the kernel kills others."""

from __future__ import annotations

import contextlib
import resource
from pathlib import Path

import structlog

from speakr.backends import get_backends

logger = structlog.get_logger(__name__)

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


def _available_bytes() -> int | None:
    """Return what this process has and may get, or None where the kernel does not tell (proc(5))."""
    used, available = _field("/proc/self/status", "VmData"), _field("/proc/meminfo", "MemAvailable")
    return None if used is None or available is None else used + int(available * _SHARE_OF_AVAILABLE)


def _field(path: str, name: str) -> int | None:
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return None
    found = [line.split() for line in lines if line.startswith(f"{name}:")]
    return int(found[0][1]) * 1024 if found else None
