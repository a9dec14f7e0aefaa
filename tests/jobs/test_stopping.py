"""A worker stops within seconds of SIGTERM, whatever it is doing when the signal arrives."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import SECRET
from tests.servers import RedisServer, redis_server

ROOT = Path(__file__).resolve().parents[2]
STOP_SECONDS = 60
"""A worker that stops at all needs four. One that lost the signal waits for work for ever."""

IN_MAINTENANCE = """
def run_maintenance():
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)
"""
WHERE_EXCEPTIONS_ARE_LOST = """
class Finalized:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(1)

def run_maintenance():
    Finalized()
"""
WHERE_A_DRIVER_REPLACES_EXCEPTIONS = """
def run_maintenance():
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
    except BaseException:
        raise RuntimeError("the connection is broken")
"""
PROGRAM = """
import os, signal, time
from speakr.app import create_core_app
from speakr.jobs.worker import work
from speakr.services.system import maintenance
{}
maintenance.run_maintenance = run_maintenance
work(create_core_app())
print("stopped")
"""


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.mark.parametrize(
    "maintenance",
    [IN_MAINTENANCE, WHERE_EXCEPTIONS_ARE_LOST, WHERE_A_DRIVER_REPLACES_EXCEPTIONS],
    ids=["raised", "lost", "replaced"],
)
def test_a_signal_during_maintenance_is_not_lost(
    tmp_path: Path, redis: RedisServer, maintenance: str
) -> None:
    environment = {
        "PYTHONPATH": str(ROOT),
        "SPEAKR_SECRET_KEY": SECRET,
        "SPEAKR_DATA": str(tmp_path),
        "REDIS_URL": redis.url,
    }
    subprocess.run(
        [sys.executable, "-m", "speakr", "prepare", "--no-sample"], env=environment, check=True, timeout=120
    )
    worker = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(maintenance)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=STOP_SECONDS,
    )
    assert (worker.returncode, worker.stdout) == (0, "stopped\n"), worker.stderr
    assert "worker_upkeep_failed" not in worker.stderr
