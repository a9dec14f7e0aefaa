"""Computations of one user do not delay those of others for long."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Hashable

import gevent

from speakr import offload
from speakr.offload import FairPlaces
from tests.operations.conftest import ROOT, clean_environment

PATCHED = "from gevent import monkey; monkey.patch_all()\n"

BACKLOG = f"""{PATCHED}
import sys, time
import gevent
from speakr import offload

def spin():
    end = time.thread_time() + 0.1
    while time.thread_time() < end:
        pass

ways = {{"cpu": lambda: offload.run_cpu(spin)}}
def large():
    with offload.large_work(is_large=True):
        offload.run_cpu(spin)
ways["large"] = large

ended = []
def ask(user):
    offload.caller.set(user)
    ways[sys.argv[1]]()
    ended.append(user)

asked = [gevent.spawn(ask, 1) for _ in range(20)]
gevent.sleep(0.01)
asked += [gevent.spawn(ask, 2), gevent.spawn(ask, "192.0.2.1")]
gevent.joinall(asked, raise_error=True)
print(max(ended.index(2), ended.index("192.0.2.1")))
"""

NESTED = f"""{PATCHED}
import gevent, time
from speakr.offload import MAX_CPU_THREADS, large_work, pause, run_blocking, run_cpu

def threads():
    with open("/proc/self/status") as opened:
        return int(next(line for line in opened if line.startswith("Threads:")).split()[1])

def work():
    pause()
    with large_work(is_large=True):
        return run_cpu(lambda: run_blocking(lambda: 7))

assert run_cpu(work) == run_blocking(work) == 7
few = threads()
gevent.joinall([gevent.spawn(run_cpu, work) for _ in range(30)], raise_error=True)
print(threads() - few)
"""


def run(program: str, *arguments: str) -> int:
    printed = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env=clean_environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    return int(printed)


def test_a_backlog_of_one_user_delays_others_by_one_computation() -> None:
    assert run(BACKLOG, "cpu") <= 5


MEMORY = f"""{PATCHED}
import time
from speakr.offload import large_work

def resident_mib():
    with open("/proc/self/statm") as opened:
        return int(opened.read().split()[1]) * 4096 / 2**20

kept = []
before = resident_mib()
with large_work(is_large=True):
    objects = [bytes(20_000) for _ in range(10_000)]
    kept.append(bytes(20_000))  # lies above them in the heap
    most = resident_mib()
    del objects
assert most - before > 150, most
deadline = time.monotonic() + 30
while resident_mib() - before > 50 and time.monotonic() < deadline:
    time.sleep(0.02)
print(round(resident_mib() - before))
"""


def test_large_work_returns_its_memory_to_the_system() -> None:
    done = subprocess.run(
        [sys.executable, "-c", MEMORY],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=clean_environment(),
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) <= 50


def test_a_backlog_of_large_work_delays_others_by_one_of_them() -> None:
    assert run(BACKLOG, "large") <= 3


def test_work_inside_work_needs_no_further_threads() -> None:
    assert run(NESTED) <= offload.MAX_CPU_THREADS


def order_of(places: FairPlaces, users: list[Hashable]) -> list[Hashable]:
    """Return in which order users get a place, each for an instant."""
    order: list[Hashable] = []

    def ask(user: Hashable) -> None:
        offload.caller.set(user)
        with places.place():
            order.append(user)
            gevent.sleep(0.001)

    gevent.joinall([gevent.spawn(ask, user) for user in users], raise_error=True)
    return order


def test_users_get_places_in_turn() -> None:
    assert order_of(FairPlaces(1), ["a", "a", "a", "b", "b", "c"]) == ["a", "b", "c", "a", "b", "a"]


def test_a_user_has_one_place_while_others_wait() -> None:
    held: list[Hashable] = []
    most_of_a = 0
    places = FairPlaces(2)

    def ask(user: Hashable, count: int) -> None:
        nonlocal most_of_a
        offload.caller.set(user)
        for _ in range(count):
            with places.place():
                held.append(user)
                if "b" in held:
                    most_of_a = max(most_of_a, held.count("a"))
                gevent.sleep(0.001)
                held.remove(user)

    gevent.joinall(
        [gevent.spawn(ask, "b", 20), *(gevent.spawn(ask, "a", 5) for _ in range(10))], raise_error=True
    )
    assert most_of_a == 1
    assert len(order_of(places, ["a", "a", "b", "b"])) == 4


def test_one_who_gives_up_takes_no_place() -> None:
    places = FairPlaces(1)

    def hold() -> None:
        with places.place():
            gevent.sleep(0.05)

    holder = gevent.spawn(hold)
    gevent.sleep(0)
    given_up = gevent.spawn(hold)
    gevent.sleep(0)
    given_up.kill()
    holder.join()
    given_place = gevent.spawn(hold)
    gevent.sleep(0)
    waiter = gevent.spawn(hold)
    gevent.sleep(0)
    given_place.kill()  # gives the place to the waiter
    waiter.kill()  # which ends before it runs
    assert len(order_of(places, ["a", "b"])) == 2
