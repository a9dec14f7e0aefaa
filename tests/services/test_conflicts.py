"""Work that a concurrent transaction has undone is done again: a few times, as a whole, and with its effects once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from psycopg.errors import DeadlockDetected, SerializationFailure
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm.exc import StaleDataError

from speakr import conflicts
from speakr.db import after_commit, db, one_commit, release, unit_of_work
from speakr.models import Recording, Tag
from speakr.services.recordings import editing, intake
from speakr.services.webhooks import events
from speakr.telemetry.metrics import CONFLICTS
from tests.conftest import Person

DEADLOCK = OperationalError("UPDATE", {}, DeadlockDetected())


class Failing:
    """A function that raises so often before it does its work."""

    def __init__(self, times: int, error: Exception, work: Callable[..., Any] = lambda *_: "done") -> None:
        self.calls, self._times, self._error, self._work = 0, times, error, work

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        result = self._work(*args, **kwargs)
        if self.calls <= self._times:
            raise self._error
        return result


def counted(kind: str) -> float:
    return CONFLICTS.labels(kind)._value.get()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (DEADLOCK, "deadlock"),
        (DBAPIError("UPDATE", {}, SerializationFailure()), "serialization"),
        (OperationalError("UPDATE", {}, Exception("database is locked")), "locked"),
        (StaleDataError(), "deleted"),
    ],
)
def test_conflicts_are_repeated_and_counted(app: Flask, error: Exception, kind: str) -> None:
    before = counted(kind)
    work = Failing(conflicts.MAX_TRIES - 1, error)
    assert conflicts.in_unit(work) == "done"
    assert work.calls == conflicts.MAX_TRIES
    assert counted(kind) == before + conflicts.MAX_TRIES - 1


def test_after_three_tries_the_conflict_is_raised(app: Flask) -> None:
    work = Failing(99, DEADLOCK)
    with pytest.raises(OperationalError):
        conflicts.in_unit(work)
    assert work.calls == conflicts.MAX_TRIES


@pytest.mark.parametrize(
    "error", [ValueError("x"), OperationalError("SELECT", {}, Exception("no such table"))]
)
def test_other_errors_are_not_repeated(app: Flask, error: Exception) -> None:
    work = Failing(99, error)
    with pytest.raises(type(error)):
        conflicts.in_unit(work)
    assert work.calls == 1


def test_work_that_has_committed_is_not_repeated(app: Flask) -> None:
    def commit() -> None:
        with unit_of_work():
            pass

    work = Failing(99, DEADLOCK, commit)
    with pytest.raises(OperationalError):
        conflicts.repeat(work)
    assert work.calls == 1


def test_work_inside_an_open_transaction_is_not_repeated(app: Flask) -> None:
    work = Failing(99, DEADLOCK)
    with pytest.raises(OperationalError), one_commit():
        with unit_of_work():
            pass
        conflicts.in_unit(work)
    assert work.calls == 1


def test_effects_follow_the_successful_try_only(app: Flask, alice: Person) -> None:
    effects = []

    def add_tag() -> None:
        db.session.add(Tag(user_id=alice.id, name="T"))
        db.session.flush()
        after_commit(lambda: effects.append("done"))

    conflicts.in_unit(Failing(2, DEADLOCK, add_tag))
    assert effects == ["done"]
    assert db.session.scalar(select(func.count()).select_from(Tag)) == 1


@pytest.mark.on_sqlite
@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}], ids=["plain", "with a key"])
def test_a_request_is_repeated_as_a_whole(
    alice: Person, upload, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    first, second = (upload(alice).json["id"] for _ in range(2))
    failing = Failing(2, DEADLOCK, events.record_all)
    monkeypatch.setattr(events, "record_all", failing)
    answer = alice.delete(
        "/api/v1/recordings/batch", json={"recording_ids": [first, second]}, headers=headers
    )
    assert (answer.status_code, answer.json["deleted"], failing.calls) == (200, 2, 3)


@pytest.mark.on_sqlite
def test_a_conflict_that_remains_is_answered_with_503(
    alice: Person, upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = upload(alice).json["id"]
    monkeypatch.setattr(editing, "update", Failing(99, DEADLOCK))
    answer = alice.patch(f"/api/v1/recordings/{recording}", json={"title": "New"})
    assert (answer.status_code, answer.json["code"]) == (503, "conflicting_writes")
    assert answer.headers["Retry-After"] == "1"


@pytest.mark.on_sqlite
@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}], ids=["plain", "with a key"])
def test_an_upload_outlives_a_conflict_of_its_rows(
    alice: Person, upload, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    failing = Failing(2, DEADLOCK, intake.create)
    monkeypatch.setattr(intake, "create", failing)
    answer = upload(alice, headers=headers)
    assert (answer.status_code, failing.calls) == (202, 3)
    release()
    assert db.session.scalar(select(func.count()).select_from(Recording)) == 1
    audio = alice.get(f"/api/v1/recordings/{answer.json['id']}/audio")
    assert (audio.status_code, len(audio.data)) == (200, answer.json["file_size"])


@pytest.mark.on_sqlite
@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}], ids=["plain", "with a key"])
def test_an_upload_whose_conflict_remains_leaves_no_blob(
    alice: Person, upload, monkeypatch: pytest.MonkeyPatch, settings, headers: dict[str, str]
) -> None:
    monkeypatch.setattr(intake, "create", Failing(99, DEADLOCK))
    assert upload(alice, headers=headers).status_code == 503
    blobs = settings.data_dir / "blobs"
    assert [path for path in blobs.rglob("*") if path.is_file() and path.stat().st_size] == []


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_real_deadlock_costs_nothing_but_time(app: Flask, alice: Person) -> None:
    with unit_of_work() as session:
        tags = [Tag(user_id=alice.id, name=name, color="#000000") for name in "AB"]
        session.add_all(tags)
        session.flush()
        ids = [tag.id for tag in tags]
    both_hold_one = threading.Barrier(2, timeout=10)
    tries: list[int] = []

    def change(first: int, second: int) -> None:
        is_first = True

        def work() -> None:
            nonlocal is_first
            tries.append(first)
            for number in (first, second):
                db.session.execute(
                    text("UPDATE tags SET color = '#00000' || :n WHERE id = :id"), {"n": 1, "id": number}
                )
                if is_first:
                    is_first = False
                    both_hold_one.wait()

        with app.app_context():
            conflicts.in_unit(work)
            db.session.remove()

    threads = [threading.Thread(target=change, args=pair) for pair in (ids, ids[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tries) == 3
    release()
    assert set(db.session.scalars(select(Tag.color))) == {"#000001"}
