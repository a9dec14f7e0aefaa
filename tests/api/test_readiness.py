"""`/readyz` costs as much for many callers as for one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from flask import Flask

from speakr.backends import get_backends, set_backends
from speakr.services.system import health, readiness
from speakr.services.system.readiness import StorageWatch
from tests.operations.conftest import wait_for

pytestmark = [pytest.mark.on_sqlite, pytest.mark.usefixtures("app")]


class Storage:
    """Counts its checks; each waits until it may end, and fails on request."""

    def __init__(self) -> None:
        self.checks = 0
        self.may_end = threading.Event()
        self.may_end.set()
        self.error: Exception | None = None

    def check(self) -> None:
        self.checks += 1
        self.may_end.wait(30)
        if self.error is not None:
            raise self.error


@pytest.fixture(autouse=True)
def _no_old_result() -> Iterator[None]:
    readiness.forget()
    yield
    readiness.forget()


@pytest.fixture
def storage() -> Iterator[Storage]:
    made = Storage()
    before = get_backends()
    set_backends(replace(before, storage=made))
    yield made
    made.may_end.set()
    set_backends(before)


def at_once(count: int, call: Callable[[], object]) -> list[object]:
    answers: list[object] = []
    threads = [threading.Thread(target=lambda: answers.append(call())) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_many_callers_run_the_checks_once(
    app: Flask, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = []
    check_all = health.readiness

    def counted(storage_reason: Callable[[], str | None]) -> object:
        runs.append(1)
        time.sleep(0.1)  # all callers are there by then
        return check_all(storage_reason)

    monkeypatch.setattr(health, "readiness", counted)
    statuses = at_once(30, lambda: app.test_client().get("/readyz").status_code)
    assert statuses == [503] * 30  # there is no dispatcher
    assert len(runs) == 1
    assert storage.checks == 1


def test_a_result_is_not_older_than_two_seconds(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "FRESH_SECONDS", 0.0)
    runs = []
    monkeypatch.setattr(health, "readiness", lambda _: runs.append(1) or (True, {}))
    for _ in range(3):
        assert readiness.current() == (True, {})
    assert len(runs) == 3


def test_requests_never_check_the_storage_themselves(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "FRESH_SECONDS", 0.0)
    for _ in range(20):
        assert readiness.current()[1]["storage"] == {"ok": True}
    assert storage.checks == 1


def test_a_storage_that_hangs_is_unreachable(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "_FIRST_CHECK_SECONDS", 0.1)
    storage.may_end.clear()
    is_ready, report = readiness.current()
    assert not is_ready
    assert report["storage"] == {"ok": False, "reason": "unreachable"}


def test_a_storage_that_begins_to_hang_becomes_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "STORAGE_SECONDS", 0.01)
    monkeypatch.setattr(readiness, "STORAGE_STALE_SECONDS", 0.2)
    monkeypatch.setattr(readiness, "_FIRST_CHECK_SECONDS", 0.1)
    storage = Storage()
    watch = StorageWatch(storage)  # type: ignore[arg-type]
    assert watch.reason() is None
    storage.may_end.clear()
    wait_for(lambda: watch.reason() == "unreachable", "an unreachable storage", seconds=10)
    storage.may_end.set()
    wait_for(lambda: watch.reason() is None, "a reachable storage", seconds=10)


def test_a_failing_storage_is_reported_and_recovers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "STORAGE_SECONDS", 0.01)
    storage = Storage()
    storage.error = OSError("/srv/secret/path")
    watch = StorageWatch(storage)  # type: ignore[arg-type]
    assert watch.reason() == "unreachable"
    storage.error = None
    wait_for(lambda: watch.reason() is None, "a storage that works again", seconds=10)


def test_the_storage_is_left_alone_when_no_caller_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "STORAGE_SECONDS", 0.01)
    monkeypatch.setattr(readiness, "_IDLE_SECONDS", 0.05)
    storage = Storage()
    watch = StorageWatch(storage)  # type: ignore[arg-type]
    watch.reason()
    wait_for(lambda: not watch._is_running, "the end of the checks", seconds=10)
    checks = storage.checks
    watch.reason()
    wait_for(lambda: storage.checks > checks, "a new check", seconds=10)
