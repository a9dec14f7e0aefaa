"""How many web processes are started by default."""

from __future__ import annotations

from pathlib import Path

import pytest

from speakr.operations import web_processes


@pytest.mark.parametrize(
    ("wanted", "cpus", "gigabytes", "expected"),
    [
        (0, 2, 3.0, 2),
        (0, 8, 64, 2),
        (0, 1, 64, 1),
        (0, 1.5, 64, 1),
        (0, 8, 2.9, 1),
        (1, 8, 64, 1),
        (4, 1, 1, 4),
    ],
)
def test_two_processes_need_two_cpus_and_three_gigabytes(
    wanted: int, cpus: float, gigabytes: float, expected: int
) -> None:
    assert web_processes.count(wanted, cpus=cpus, memory_bytes=gigabytes * 1e9) == expected


def test_limits_of_a_container_count(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    (tmp_path / "memory.max").write_text("1073741824\n")
    assert web_processes.available_cpus(tmp_path) == 0.5
    assert web_processes.available_memory(tmp_path) == 2**30


@pytest.mark.parametrize("text", ["max 100000\n", "", "1 0\n"])
def test_without_limits_the_machine_counts(tmp_path: Path, text: str) -> None:
    (tmp_path / "cpu.max").write_text(text)
    (tmp_path / "memory.max").write_text("max\n")
    assert web_processes.available_cpus(tmp_path) >= 1
    assert web_processes.available_memory(tmp_path) > 1e8
