"""One row and one module make a kind of job: it runs, fails, is tried again, cancelled, and survives a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from redis import Redis
from sqlalchemy import select

from speakr.backends import Backends
from speakr.db import db, release, unit_of_work
from speakr.domain.jobs import KINDS, JobKind, JobState
from speakr.models import Event, Job, JobBlob, Recording, UnwantedBlob, User
from speakr.queue import RedisJobNotifier
from speakr.services.jobs import requests
from speakr.services.system import maintenance
from speakr.settings import Settings
from tests.conftest import Person
from tests.crash.deployment import wait_for
from tests.fakes import MemoryJobNotifier
from tests.jobs import toy_kind

ROOT = Path(__file__).resolve().parents[2]
WORKER = """
from speakr.app import create_core_app
from speakr.domain.jobs import KINDS
from speakr.jobs.worker import work
from tests.jobs import toy_kind
KINDS["toy"] = toy_kind.ROW
work(create_core_app())
"""


@pytest.fixture(autouse=True)
def _toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, "toy", toy_kind.ROW)


def submit(person: Person, *, part: str = "", **options: str) -> int:
    with unit_of_work() as session:
        return requests.submit(session.get_one(User, person.id), "toy", options, part=part)[0].id


def look_at(job_id: int) -> Job:
    release()
    return db.session.get_one(Job, job_id)


def events_of(person: Person) -> list[dict[str, object]]:
    release()
    return list(db.session.scalars(select(Event.data).where(Event.user_id == person.id)))


def blobs(backends: Backends) -> list[str]:
    release()
    assert db.session.scalars(select(JobBlob)).all() == []
    assert db.session.scalars(select(UnwantedBlob)).all() == []
    return [key for key, _ in backends.storage.keys("pcm")]


def test_a_job_without_a_recording_runs_and_leaves_no_blob(
    alice: Person, work: Callable[[], int], backends: Backends
) -> None:
    job_id = submit(alice)
    assert work() == 1
    found = alice.get(f"/api/v1/jobs/{job_id}").json
    assert (found["kind"], found["state"], found["recording_id"]) == ("toy", "succeeded", None)
    assert blobs(backends) == []
    assert events_of(alice) == []


def test_a_failed_kind_records_its_own_event_and_no_other(
    alice: Person, work: Callable[[], int], backends: Backends
) -> None:
    job_id = submit(alice, fails="for good")
    work()
    assert look_at(job_id).state is JobState.FAILED
    assert events_of(alice) == [{"toy_error": "broken"}]
    assert blobs(backends) == []


def test_a_passing_failure_is_tried_again(alice: Person, work: Callable[[], int], backends: Backends) -> None:
    job_id = submit(alice, fails="for now")
    work()
    job = look_at(job_id)
    assert (job.state, job.attempts) == (JobState.QUEUED, 1)
    with unit_of_work() as session:
        job = session.get_one(Job, job_id)
        job.not_before, job.rung_at, job.options = None, job.created_at.replace(year=2020), {}
    maintenance.run_maintenance()
    work()
    assert look_at(job_id).state is JobState.SUCCEEDED
    assert events_of(alice) == []
    assert blobs(backends) == []


def test_only_its_user_sees_cancels_and_retries_it(
    alice: Person, bob: Person, work: Callable[[], int], notifier: MemoryJobNotifier
) -> None:
    job_id = submit(alice)
    for answer in (
        bob.get(f"/api/v1/jobs/{job_id}"),
        bob.post(f"/api/v1/jobs/{job_id}/cancel"),
        bob.post(f"/api/v1/jobs/{job_id}/retry"),
    ):
        assert (answer.status_code, answer.json["code"]) == (404, "not_found")
    assert bob.get("/api/v1/jobs").json["jobs"] == []
    assert alice.post(f"/api/v1/jobs/{job_id}/cancel").json["state"] == "cancelled"
    work()
    assert look_at(job_id).state is JobState.CANCELLED
    again = alice.post(f"/api/v1/jobs/{job_id}/retry")
    assert again.status_code == 202, again.json
    work()
    assert look_at(int(again.json["id"])).state is JobState.SUCCEEDED


def test_the_same_work_is_queued_once_per_user_and_part(
    alice: Person, bob: Person, work: Callable[[], int]
) -> None:
    first = submit(alice)
    assert submit(alice) == first
    assert len({first, submit(bob), submit(alice, part="one"), submit(alice, part="two")}) == 4
    assert submit(alice, part="two") != first
    work()
    assert submit(alice) != first, "work that has ended may be asked for again"


def test_a_kind_is_refused_a_subject_that_it_is_not_about(app: Flask, alice: Person, recorded: int) -> None:
    with unit_of_work() as session:
        recording, user = session.get_one(Recording, recorded), session.get_one(User, alice.id)
        with pytest.raises(ValueError, match="toy is work on nothing"):
            requests.submit(recording, "toy")
        with pytest.raises(ValueError, match="extract is work on recording"):
            requests.submit(user, JobKind.EXTRACT)


def test_a_kind_of_a_newer_version_does_not_stop_maintenance(
    app: Flask, alice: Person, notifier: MemoryJobNotifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown, known = submit(alice), submit(alice, part="other")
    with unit_of_work() as session:
        session.get_one(Job, unknown).kind = "unheard_of"
        for job in session.scalars(select(Job)):
            job.rung_at = job.created_at.replace(year=2020)
    notifier.notifications.clear()
    maintenance.run_maintenance()
    assert [job_id for _, job_id, _ in notifier.notifications] == [known]
    assert alice.get(f"/api/v1/jobs/{unknown}").status_code == 200


@pytest.fixture
def worker(app: Flask, settings: Settings, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    environment = {
        "PYTHONPATH": str(ROOT), "SPEAKR_SECRET_KEY": settings.secret_key, "SPEAKR_DATA": str(tmp_path),
        "DATABASE_URL": settings.database_url, "REDIS_URL": settings.redis_url, "SPEAKR_MIN_FREE_DISK_MB": "1",
    }  # fmt: skip
    with subprocess.Popen([sys.executable, "-c", WORKER], env=environment, cwd=ROOT) as process:
        yield process
        process.kill()


def test_a_real_worker_goes_on_after_its_work_horse_was_killed(
    alice: Person,
    worker: subprocess.Popen[bytes],
    redis_connection: Redis,
    tmp_path: Path,
    backends: Backends,
) -> None:
    horses = tmp_path / "horses"
    horses.mkdir()
    job_id = submit(alice, horses=str(horses))
    RedisJobNotifier(redis_connection).notify("toy", job_id, 1)
    (first,) = wait_for(lambda: list(horses.iterdir()), "a work horse", 30)
    os.kill(int(first.name), signal.SIGKILL)
    wait_for(lambda: look_at(job_id).state is JobState.SUCCEEDED, "the job is done", 30)
    assert look_at(job_id).crashes == 1
    assert len(list(horses.iterdir())) == 2
    assert worker.poll() is None
    wait_for(lambda: list(backends.storage.keys("pcm")) == [], "its blob is deleted", 10)
