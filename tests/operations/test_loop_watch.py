"""The watch over the event loop: what stops the loop is logged and counted, what runs beside it is not."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.operations.conftest import ROOT, clean_environment
from tests.support.loop_blocks import blocks_in

PROGRAM = """
from gevent import monkey; monkey.patch_all()
import sys, time
import gevent
from prometheus_client import generate_latest
from speakr.offload import run_cpu
from speakr.web.loop_watch import ROUTE_KEY, LoopWatch

def spin():
    end = time.thread_time() + 0.4
    while time.thread_time() < end:
        pass

def serve(environ):
    {"computes": spin, "waits": lambda: monkey.get_original("time", "sleep")(0.5),
     "gives way": lambda: [time.sleep(0.01) for _ in range(50)], "computes beside": lambda: run_cpu(spin)}[sys.argv[1]]()

LoopWatch().start()
gevent.sleep(0.1)
serve({"REQUEST_METHOD": "GET", ROUTE_KEY: "/api/v1/things/<id>"})
gevent.sleep(0.1)
print(generate_latest().decode())
"""


@pytest.mark.parametrize("kind", ["computes", "waits"])
def test_what_stops_the_loop_is_found(kind: str) -> None:
    printed = run(kind)
    (block,) = blocks_in(printed)
    assert "GET /api/v1/things/<id>" in block
    assert "speakr_event_loop_blocked_seconds_count 1.0" in printed


@pytest.mark.parametrize("kind", ["gives way", "computes beside"])
def test_what_leaves_the_loop_alone_is_not_found(kind: str) -> None:
    assert blocks_in(run(kind)) == []


def run(kind: str) -> str:
    """Return all that the program prints."""
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, kind],
        env=clean_environment(),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=True,
    ).stdout
