"""A storage belongs to one database, and orphans are removed for no other."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from speakr.maintenance import orphan_removal
from speakr.maintenance.thread import MaintenanceThreads
from speakr.operations import upkeep
from speakr.services.system import orphans, storage_owner, system_settings
from speakr.storage.base import Storage
from tests.conftest import Person
from tests.storage.aged import begin, kept, on_local, put, sweep, unfinished
from tests.webhooks.dispatchers import until


@pytest.fixture(params=["local", "s3"])
def storage(request: pytest.FixtureRequest) -> Storage:
    """The two that survive a process."""
    return request.getfixturevalue(f"{request.param}_storage")


def claimed_by_another(storage: Storage) -> None:
    storage.delete(storage_owner.MARK_KEY)
    sink = storage.create(storage_owner.MARK_KEY)
    sink.write(b"f" * 32)
    sink.commit()


def test_a_storage_of_another_database_is_left_alone(owner: Person, storage: Storage) -> None:
    old = put(storage)
    begin(storage)
    claimed_by_another(storage)
    foreign = orphans.Sweep()
    for _ in range(3):
        with pytest.raises(orphans.ForeignStorage, match="another database"):
            foreign.step()
    assert kept(storage) == {old}
    assert len(unfinished(storage)) == 1


def test_the_first_sweep_makes_the_database_the_owner(owner: Person, storage: Storage) -> None:
    sweep()
    with storage.open(storage_owner.MARK_KEY) as mark:
        owner_id = mark.read()
    assert re.fullmatch(rb"[0-9a-f]{32}", owner_id)
    put(storage)
    sweep()
    assert kept(storage) == set()
    with storage.open(storage_owner.MARK_KEY) as mark:
        assert mark.read() == owner_id


@on_local
def test_an_operator_can_take_a_storage_over(owner: Person, storage: Storage) -> None:
    put(storage)
    claimed_by_another(storage)
    with pytest.raises(orphans.ForeignStorage):
        list(upkeep.remove_orphans(dry_run=False))
    assert list(upkeep.remove_orphans(dry_run=False, take_over=True))[-1].startswith("0 partial writes and 1")
    assert kept(storage) == set()


@on_local
def test_the_owner_id_is_no_setting_of_the_administrator(owner: Person, storage: Storage) -> None:
    sweep()
    assert "storage_owner_id" not in system_settings.everything()


@on_local
def test_the_thread_leaves_a_foreign_storage_for_the_next_time(
    app: Flask,
    owner: Person,
    storage: Storage,
    maintenance_rounds: list[float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(orphan_removal, "FIRST_AFTER_SECONDS", 0.0)
    monkeypatch.setattr(orphan_removal, "EVERY_SECONDS", 3600.0)
    asked: list[None] = []
    monkeypatch.setattr(storage_owner, "owns_storage", lambda **_: bool(asked.append(None)))
    blob = put(storage)
    thread = MaintenanceThreads(app)
    thread.start()
    until(lambda: len(maintenance_rounds) > 5)
    thread.stop()
    thread.join(20)
    assert len(asked) == 1
    assert kept(storage) == {blob}
