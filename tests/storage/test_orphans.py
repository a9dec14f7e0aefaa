"""What killed uploads and jobs leave in the storage is removed once it is old; what a row refers to stays."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from redis import Redis

from speakr import backends as plumbing
from speakr.db import db, unit_of_work
from speakr.domain.clock import now
from speakr.domain.jobs import JobKind, JobState
from speakr.maintenance import orphan_removal
from speakr.maintenance.thread import MaintenanceThreads
from speakr.models import Job, JobBlob, Recording, User
from speakr.operations import upkeep
from speakr.services.system import orphans, storage_owner, unwanted_blobs
from speakr.storage.base import PREFIXES, BlobInfo, Storage, StorageUnavailable
from tests.conftest import Person
from tests.storage.aged import HOUR, begin, kept, on_local, put, sweep, unfinished
from tests.webhooks.dispatchers import until


@pytest.fixture(params=["local", "s3"])
def storage(request: pytest.FixtureRequest) -> Storage:
    """The two that survive a process."""
    return request.getfixturevalue(f"{request.param}_storage")


def add_recording(user_id: int, storage_key: str | None) -> int:
    with unit_of_work() as session:
        recording = Recording(
            user_id=user_id, title="One", original_filename="one.wav", mime_type="audio/wav", file_size=5,
            sha256="0" * 64, storage_key=storage_key,
        )  # fmt: skip
        session.add(recording)
        session.flush()
        return recording.id


def add_job(user_id: int, pcm_key: str, state: JobState) -> None:
    recording_id = add_recording(user_id, None)
    with unit_of_work() as session:
        job = Job(recording_id=recording_id, user_id=user_id, kind=JobKind.TRANSCRIBE, state=state)
        session.add(job)
        session.flush()
        session.add(JobBlob(storage_key=pcm_key, job_id=job.id))


def test_old_blobs_without_a_row_go_and_all_others_stay(owner: Person, storage: Storage) -> None:
    old = {put(storage), put(storage, "pcm"), put(storage, age_seconds=25 * HOUR)}
    fresh, of_a_day = put(storage, age_seconds=60), put(storage, "pcm", age_seconds=23 * HOUR)
    audio, decoded, waiting, unwanted = (put(storage), put(storage, "pcm"), put(storage, "pcm"), put(storage))
    add_recording(owner.id, audio)
    add_job(owner.id, decoded, JobState.RUNNING)
    add_job(owner.id, waiting, JobState.QUEUED)
    with unit_of_work():
        unwanted_blobs.add(unwanted)
    done = sweep()
    assert kept(storage) == {fresh, of_a_day, audio, decoded, waiting, unwanted}
    assert done.counts[orphans.BLOB] == len(old)
    assert done.foreign == 0


def test_the_decoded_audio_of_an_ended_job_is_removed(owner: Person, storage: Storage) -> None:
    """Its worker was killed after the job had ended and before it deleted the blob."""
    for state in (JobState.FAILED, JobState.CANCELLED, JobState.SUCCEEDED):
        add_job(owner.id, put(storage, "pcm"), state)
    sweep()
    assert kept(storage) == set()


def test_old_partial_writes_go(owner: Person, storage: Storage) -> None:
    begin(storage)
    assert sweep().counts == {orphans.PARTIAL: 1}
    assert unfinished(storage) == []


@on_local
def test_an_upload_of_this_day_goes_on(owner: Person, storage: Storage) -> None:
    begin(storage, age_seconds=23 * HOUR)
    assert sweep().counts[orphans.PARTIAL] == 0
    assert len(unfinished(storage)) == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_partial_writes_are_removed_some_at_a_time(
    owner: Person, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orphans, "AT_ONCE", 2)
    for _ in range(3):
        begin(storage)
    whole = orphans.Sweep()
    whole.step()
    assert len(unfinished(storage)) == 1
    whole.step()
    assert unfinished(storage) == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_dry_run_lists_and_removes_nothing(owner: Person, storage: Storage) -> None:
    blob, fresh = put(storage), put(storage, age_seconds=60)
    begin(storage)
    *lines, last = upkeep.remove_orphans(dry_run=True)
    assert storage.stat(storage_owner.MARK_KEY) is None
    assert len(lines) == 1
    assert lines[0].startswith(f"blob {blob}: 5 bytes, written ")
    assert last == "1 partial writes and 1 blobs would be removed."
    assert kept(storage) == {blob, fresh}
    assert len(unfinished(storage)) == 1
    assert orphans.removed_counts() == {orphans.PARTIAL: 0, orphans.BLOB: 0}
    *lines, last = upkeep.remove_orphans(dry_run=False)
    assert len(lines) == 1
    assert last == "1 partial writes and 1 blobs were removed."
    assert kept(storage) == {fresh}


@on_local
def test_a_new_database_does_not_empty_a_full_storage(owner: Person, storage: Storage) -> None:
    blob = put(storage)
    with unit_of_work() as session:
        session.get_one(User, owner.id).created_at = now() - timedelta(days=6)
    assert list(upkeep.remove_orphans(dry_run=False))[1].startswith("1 blobs were left alone")
    with unit_of_work() as session:
        session.delete(session.get_one(User, owner.id))
    assert sweep().foreign == 1
    assert kept(storage) == {blob}


class Faulty:
    """A storage that fails on request and records its calls."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.is_deaf_to_partial = False
        self.broken_listing: str | None = None
        self.undeletable: set[str] = set()
        self.before_delete: Callable[[str], None] = lambda _key: None
        self.listed = 0

    def __getattr__(self, name: str):
        return getattr(self._storage, name)

    def sweep_partial(self, older_than_seconds: float, **how) -> int:
        if self.is_deaf_to_partial:
            raise StorageUnavailable("away")
        return self._storage.sweep_partial(older_than_seconds, **how)

    def keys(self, prefix: str) -> Iterator[tuple[str, BlobInfo]]:
        assert not db.session().in_transaction()
        for number, found in enumerate(self._storage.keys(prefix)):
            if prefix == self.broken_listing and number == 1:
                raise StorageUnavailable("away")
            self.listed += 1
            yield found

    def delete(self, key: str) -> None:
        assert not db.session().in_transaction()
        self.before_delete(key)
        if key in self.undeletable:
            raise StorageUnavailable("away")
        self._storage.delete(key)


@pytest.fixture
def faulty(owner: Person, storage: Storage, monkeypatch: pytest.MonkeyPatch) -> Faulty:
    made = Faulty(storage)
    monkeypatch.setattr(plumbing, "_backends", replace(plumbing.get_backends(), storage=made))
    return made


def failures_of(whole: orphans.Sweep) -> int:
    """Sweep as the maintenance thread does, which goes on after a failure; return how many there were."""
    failed = 0
    for _ in range(100):
        try:
            if not whole.step():
                return failed
        except StorageUnavailable:
            failed += 1
    raise AssertionError("the sweep does not end")


@on_local
def test_a_sweep_goes_on_after_failures(
    faulty: Faulty, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orphans, "AT_ONCE", 1)
    stubborn, decoded = put(storage), put(storage, "pcm")
    for _ in range(3):
        put(storage)
    faulty.is_deaf_to_partial, faulty.undeletable = True, {stubborn}
    assert failures_of(orphans.Sweep()) == 2
    assert kept(storage) == {stubborn}
    faulty.undeletable, faulty.broken_listing = set(), "audio"
    decoded = put(storage, "pcm")
    put(storage)
    whole = orphans.Sweep()
    assert failures_of(whole) == 2
    assert decoded not in kept(storage)
    assert whole.counts[orphans.BLOB] == 2
    faulty.is_deaf_to_partial, faulty.broken_listing = False, None
    assert failures_of(orphans.Sweep()) == 0
    assert kept(storage) == set()


@on_local
def test_a_step_is_bounded_and_lists_no_more_than_it_looks_at(
    faulty: Faulty, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orphans, "AT_ONCE", 2)
    for _ in range(5):
        put(storage)
    whole = orphans.Sweep()
    whole.step()
    for expected in (2, 4, 5):
        whole.step()
        assert faulty.listed == expected
        assert len(kept(storage)) == 5 - expected


def test_a_blob_that_is_referred_to_meanwhile_stays(
    owner: Person, faulty: Faulty, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows are read again right before a deletion."""
    monkeypatch.setattr(orphans, "_CHECKED_AT_ONCE", 1)
    blobs = {put(storage), put(storage), put(storage)}
    saved: list[str] = []

    def refer_to_another(deleted: str) -> None:
        if not saved:
            saved.append(min(blobs - {deleted}))
            add_recording(owner.id, saved[0])

    faulty.before_delete = refer_to_another
    sweep()
    assert kept(storage) == set(saved)


@on_local
def test_two_sweeps_at_once_do_no_harm(faulty: Faulty, storage: Storage) -> None:
    blobs = {put(storage), put(storage)}

    def be_faster(key: str) -> None:
        storage.delete(key)

    faulty.before_delete = be_faster
    assert sweep().counts[orphans.BLOB] == len(blobs)
    assert kept(storage) == set()


def shown(app: Flask) -> dict[str, float]:
    text = app.test_client().get("/metrics").get_data(as_text=True)
    lines = [line.rpartition(" ") for line in text.splitlines() if line.startswith("speakr_orphans")]
    return {name: float(value) for name, _, value in lines}


PARTIAL, BLOB = (f'speakr_orphans_removed_total{{kind="{kind}"}}' for kind in ("partial", "blob"))


@on_local
def test_metrics_count_what_was_removed(
    app: Flask, owner: Person, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shown(app) == {PARTIAL: 0, BLOB: 0}
    put(storage), put(storage)
    begin(storage)
    sweep()
    assert shown(app) == {PARTIAL: 1, BLOB: 2}
    put(storage)
    with_redis = plumbing.get_backends()
    away = replace(with_redis, memory=Redis.from_url("redis://127.0.0.1:1"))
    monkeypatch.setattr(plumbing, "_backends", away)
    sweep()
    assert shown(app) == {}
    monkeypatch.setattr(plumbing, "_backends", with_redis)
    sweep()  # carries over what could not be reported
    assert shown(app) == {PARTIAL: 1, BLOB: 3}


@on_local
def test_the_thread_sweeps_repeatedly_and_goes_on_when_the_storage_fails(
    app: Flask,
    faulty: Faulty,
    storage: Storage,
    maintenance_rounds: list[float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(orphan_removal, "FIRST_AFTER_SECONDS", 0.0)
    monkeypatch.setattr(orphan_removal, "EVERY_SECONDS", 0.05)
    faulty.is_deaf_to_partial = True
    put(storage)
    begin(storage)
    thread = MaintenanceThreads(app)
    thread.start()
    try:
        until(lambda: not kept(storage))
        assert len(unfinished(storage)) == 1
        so_far = len(maintenance_rounds)
        until(lambda: len(maintenance_rounds) > so_far + 10)  # the first sweep is over by then
        faulty.is_deaf_to_partial = False
        put(storage)
        until(lambda: not kept(storage) and not unfinished(storage))
    finally:
        thread.stop()
        thread.join(20)


@on_local
def test_the_thread_does_not_sweep_at_once(
    app: Flask, owner: Person, storage: Storage, maintenance_rounds: list[float]
) -> None:
    blob = put(storage)
    thread = MaintenanceThreads(app)
    thread.start()
    until(lambda: len(maintenance_rounds) > 5)
    thread.stop()
    thread.join(20)
    assert kept(storage) == {blob}


_PREFIX = re.compile(r'(?:new_key\(|reserve_blob\(\w+, )"(\w+)"\)')


def test_every_prefix_that_is_used_is_swept() -> None:
    """`check` writes nothing that stays."""
    package = Path(orphans.__file__).parents[2]
    used = {word for path in package.rglob("*.py") for word in _PREFIX.findall(path.read_text())}
    assert used - {"check"} == set(PREFIXES)
