"""The memory limit of a job in quarantine follows the machine and the control groups of its container."""

from __future__ import annotations

from pathlib import Path

import pytest

from speakr.jobs import memory_limit

_MIB = 1024 * 1024
_USED, _MACHINE = 100 * _MIB, 8_000 * _MIB


def wanted(available: int) -> int:
    """Return the limit of a process that has 100 MiB, four fifths of what is available more."""
    return _USED + int(available * 0.8)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine with 8000 MiB free, without control groups."""
    put(tmp_path, "proc/self/status", f"Name:\tpython\nVmData:\t{_USED // 1024} kB\n")
    put(tmp_path, "proc/meminfo", f"MemTotal: 1 kB\nMemAvailable: {_MACHINE // 1024} kB\n")
    return tmp_path


def put(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def put_group(root: Path, group: str, limit: int | str, used: int, cached: int = 0) -> None:
    put(root, f"sys/fs/cgroup/{group}/memory.max", f"{limit}\n")
    put(root, f"sys/fs/cgroup/{group}/memory.current", f"{used}\n")
    put(root, f"sys/fs/cgroup/{group}/memory.stat", f"anon 5\ninactive_file {cached}\n")


def test_without_control_groups_the_machine_decides(root: Path) -> None:
    assert memory_limit._available_bytes(root) == wanted(_MACHINE)


def test_the_kernel_says_nothing(tmp_path: Path) -> None:
    assert memory_limit._available_bytes(tmp_path) is None


def test_the_limit_of_a_container_decides(root: Path) -> None:
    put(root, "proc/self/cgroup", "0::/\n")
    put_group(root, "", 500 * _MIB, 200 * _MIB)
    assert memory_limit._available_bytes(root) == wanted(300 * _MIB)


def test_cached_files_count_as_free(root: Path) -> None:
    put(root, "proc/self/cgroup", "0::/\n")
    put_group(root, "", 500 * _MIB, 480 * _MIB, cached=200 * _MIB)
    assert memory_limit._available_bytes(root) == wanted(220 * _MIB)


def test_a_group_over_its_limit_has_nothing_left(root: Path) -> None:
    put(root, "proc/self/cgroup", "0::/\n")
    put_group(root, "", 100 * _MIB, 200 * _MIB)
    assert memory_limit._available_bytes(root) == wanted(0)


def test_the_tightest_group_above_the_process_decides(root: Path) -> None:
    put(root, "proc/self/cgroup", "0::/system.slice/speakr.service\n")
    put_group(root, "system.slice", 600 * _MIB, 500 * _MIB)
    put_group(root, "system.slice/speakr.service", 900 * _MIB, 100 * _MIB)
    put_group(root, "user.slice", 1, 0)
    assert memory_limit._available_bytes(root) == wanted(100 * _MIB)


def test_a_group_without_a_limit_leaves_the_machine(root: Path) -> None:
    put(root, "proc/self/cgroup", "0::/\n")
    put_group(root, "", "max", 200 * _MIB)
    assert memory_limit._available_bytes(root) == wanted(_MACHINE)


@pytest.mark.parametrize("mounted_at", ["docker/12ab", ""])
def test_version_1_of_control_groups(root: Path, mounted_at: str) -> None:
    """Docker mounts the container's own group at the top, while its path is that of the machine."""
    put(root, "proc/self/cgroup", "5:cpu,cpuacct:/docker/12ab\n4:memory:/docker/12ab\n1:name=systemd:/\n")
    folder = f"sys/fs/cgroup/memory/{mounted_at}"
    put(root, f"{folder}/memory.limit_in_bytes", f"{500 * _MIB}\n")
    put(root, f"{folder}/memory.usage_in_bytes", f"{450 * _MIB}\n")
    put(root, f"{folder}/memory.stat", f"total_inactive_file {50 * _MIB}\n")
    assert memory_limit._available_bytes(root) == wanted(100 * _MIB)


def test_the_unlimited_value_of_version_1_leaves_the_machine(root: Path) -> None:
    put(root, "proc/self/cgroup", "4:memory:/\n")
    put(root, "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")
    put(root, "sys/fs/cgroup/memory/memory.usage_in_bytes", "1\n")
    assert memory_limit._available_bytes(root) == wanted(_MACHINE)
