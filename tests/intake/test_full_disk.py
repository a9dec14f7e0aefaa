"""A full storage: a real one where this process may mount a file system, else a reserve that cannot be met."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import wav
from tests.intake import recordings
from tests.intake.server import MEGABYTE, IntakeServer, assert_refused

pytestmark = pytest.mark.stack

DISK_MB = 3
MORE_THAN_ANYBODY_HAS = "999999999"


@dataclass(frozen=True)
class Disk:
    """Settings of a server whose storage is small, and whether it is a real one."""

    settings: dict[str, str]
    is_real: bool


@contextmanager
def small_disk(folder: Path) -> Iterator[Disk]:
    folder.mkdir()
    place = {"SPEAKR_STORAGE_URL": str(folder)}
    mount = shutil.which("mount")
    command = [mount or "", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(folder)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        yield Disk({**place, "SPEAKR_MIN_FREE_DISK_MB": MORE_THAN_ANYBODY_HAS}, is_real=False)
        return
    try:
        yield Disk({**place, "SPEAKR_MIN_FREE_DISK_MB": "0"}, is_real=True)
    finally:
        subprocess.run([shutil.which("umount") or "", "--lazy", str(folder)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with small_disk(tmp_path / "disk") as made:
        yield made


@pytest.fixture
def full_server(tmp_path: Path, disk: Disk) -> Iterator[IntakeServer]:
    with IntakeServer(tmp_path, **disk.settings) as made:
        yield made
        assert "Traceback" not in made.log


def test_a_full_disk_is_reported_and_nothing_stays(
    full_server: IntakeServer, disk: Disk, tmp_path: Path
) -> None:
    """One server for the whole story, since starting it is the slow part."""
    for headers in ({}, {"Idempotency-Key": "full"}):
        with full_server.keeps_nothing():
            answer = full_server.upload(recordings.hiss(DISK_MB * MEGABYTE), headers=headers)
        assert_refused(answer, 507, "out_of_space")

    # Room for the video, but not for its audio too.
    film = recordings.film_of_hiss(tmp_path / "film", seconds=20.0)
    assert DISK_MB * MEGABYTE / 2 < len(film) < DISK_MB * MEGABYTE * 0.9
    with full_server.keeps_nothing():
        answer = full_server.upload(film, "film.mov")
    assert_refused(answer, 507, "out_of_space")

    # A smaller upload that fits is accepted.
    assert full_server.upload(wav(1.0)).status_code == (202 if disk.is_real else 507)
    assert len(full_server.get("/api/v1/recordings")["recordings"]) == disk.is_real
