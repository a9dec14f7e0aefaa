"""How many web processes a machine has room for."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

MIN_CPUS = 2
MIN_MEMORY_BYTES = 3 * 1000**3
"""What a machine needs for two web processes beside Redis, the database and two workers."""

_CGROUP = Path("/sys/fs/cgroup")


def count(wanted: int, *, cpus: float | None = None, memory_bytes: float | None = None) -> int:
    """Return the number that the settings want; for 0, two if the machine has two CPUs and 3 GB, else one.

    cpus, memory_bytes: what the machine has; by default what this process may use of it.
    """
    if wanted:
        return wanted
    cpus = available_cpus() if cpus is None else cpus
    memory_bytes = available_memory() if memory_bytes is None else memory_bytes
    return 2 if cpus >= MIN_CPUS and memory_bytes >= MIN_MEMORY_BYTES else 1


def available_cpus(cgroup: Path = _CGROUP) -> float:
    """Return how many CPUs this process may use, by its affinity and the quota of its container (cgroup v2)."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only
    cpus = float(len(affinity(0)) if affinity else os.cpu_count() or 1)
    with contextlib.suppress(OSError, ValueError, ZeroDivisionError):
        quota, period = (cgroup / "cpu.max").read_text().split()
        cpus = min(cpus, int(quota) / int(period))  # "max" is no number: no quota
    return cpus


def available_memory(cgroup: Path = _CGROUP) -> float:
    """Return the bytes of memory of the machine, or of the container if it has a limit (cgroup v2)."""
    memory = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    with contextlib.suppress(OSError, ValueError):
        memory = min(memory, int((cgroup / "memory.max").read_text()))
    return memory
