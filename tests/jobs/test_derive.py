"""Jobs that make recordings of others: killed workers, two workers on one job, two jobs on one original."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask import Flask
from redis import Redis
from sqlalchemy import select, update

from speakr.backends import Backends
from speakr.db import db, release, unit_of_work
from speakr.domain.jobs import JobState
from speakr.jobs import derive, runner
from speakr.models import Job, JobBlob, Recording, UnwantedBlob
from speakr.queue import RedisJobNotifier
from speakr.services.system import unwanted_blobs
from speakr.settings import Settings
from tests.api.corrections import V1
from tests.api.sounding import cut, detail, jobs_of, merge, sound_of, sounding
from tests.conftest import Person
from tests.crash.deployment import wait_for
from tests.fakes import MemoryJobNotifier

ROOT = Path(__file__).resolve().parents[2]
TALK = (("SPEAKER_00", "Good morning all."), ("SPEAKER_01", "We start with the budget."))
WORKER = """
import os, sys, time
from pathlib import Path
from speakr.app import create_core_app
from speakr.jobs import derive
from speakr.jobs.worker import work

step, horses = sys.argv[1], Path(sys.argv[2])
done = getattr(derive, step)

def then_wait(*args, **kwargs):
    result = done(*args, **kwargs)
    (horses / str(os.getpid())).touch()
    while len(list(horses.iterdir())) == 1:  # the first work horse goes no further
        time.sleep(0.05)
    return result

setattr(derive, step, then_wait)
work(create_core_app())
"""


@pytest.fixture(autouse=True)
def _nothing_follows(alice: Person) -> None:
    alice.patch(
        "/api/v1/users/me", json={"preferences": {"auto_summarization": False, "extract_events": False}}
    )


@pytest.fixture(params=["join", "put_file"])
def worker(
    request: pytest.FixtureRequest, app: Flask, settings: Settings, tmp_path: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A real worker whose first work horse stops after this step."""
    (tmp_path / "horses").mkdir()
    environment = {
        "PYTHONPATH": str(ROOT), "SPEAKR_SECRET_KEY": settings.secret_key, "SPEAKR_DATA": str(tmp_path),
        "DATABASE_URL": settings.database_url, "REDIS_URL": settings.redis_url, "SPEAKR_MIN_FREE_DISK_MB": "1",
    }  # fmt: skip
    command = [sys.executable, "-c", WORKER, request.param, str(tmp_path / "horses")]
    with subprocess.Popen(command, env=environment, cwd=ROOT) as process:
        yield process
        process.kill()


def audio_keys(backends: Backends) -> list[str]:
    return sorted(key for key, _ in backends.storage.keys("audio"))


def keys_of_rows() -> list[str]:
    release()
    assert db.session.scalars(select(JobBlob)).all() == []
    assert db.session.scalars(select(UnwantedBlob)).all() == []
    kept = select(Recording.storage_key).where(Recording.storage_key.is_not(None))
    return sorted(key for key in db.session.scalars(kept) if key)


def look_at(job_id: int) -> Job:
    release()
    return db.session.get_one(Job, job_id)


def test_a_merge_is_completed_after_its_worker_was_killed(
    alice: Person,
    worker: subprocess.Popen[bytes],
    redis_connection: Redis,
    tmp_path: Path,
    backends: Backends,
) -> None:
    one, first = sounding(alice, TALK)
    two, second = sounding(alice, TALK, frequency=900.0)
    new = merge(alice, one, two).json["id"]
    (job,) = jobs_of(new)
    RedisJobNotifier(redis_connection).notify("merge", job.id, 1)
    (horse,) = wait_for(lambda: list((tmp_path / "horses").iterdir()), "a work horse", 60)
    assert detail(alice, new)["audio_available"] is False
    os.kill(int(horse.name), signal.SIGKILL)
    wait_for(lambda: look_at(job.id).state is JobState.SUCCEEDED, "the job is done", 60)
    assert look_at(job.id).crashes == 1
    assert worker.poll() is None
    assert detail(alice, new)["status"] == "COMPLETED"
    assert np.array_equal(sound_of(new, tmp_path)[0], np.concatenate([first, second]))
    assert audio_keys(backends) == keys_of_rows()
    assert len(audio_keys(backends)) == 3


def test_a_worker_that_was_overtaken_does_not_delete_the_audio(
    alice: Person, backends: Backends, notifier: MemoryJobNotifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = sounding(alice, TALK)
    two, _ = sounding(alice, TALK)
    new = merge(alice, one, two).json["id"]
    (job,) = jobs_of(new)
    is_overtaken = False
    join = derive.join

    def join_and_be_overtaken(*args: Any, **kwargs: Any) -> float:
        nonlocal is_overtaken
        seconds = join(*args, **kwargs)
        if not is_overtaken:
            is_overtaken = True
            with unit_of_work():
                db.session.execute(update(Job).where(Job.id == job.id).values(state=JobState.QUEUED))
            runner.run(job.id)
        return seconds

    monkeypatch.setattr(derive, "join", join_and_be_overtaken)
    runner.run(job.id)
    release()
    unwanted_blobs.clear()
    assert look_at(job.id).state is JobState.SUCCEEDED
    found = detail(alice, new)
    assert len(alice.get(f"{V1}/{new}/audio").data) == found["file_size"]
    assert audio_keys(backends) == keys_of_rows()


def test_a_recording_that_is_deleted_while_its_audio_is_made_leaves_nothing(
    alice: Person, backends: Backends, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = sounding(alice, TALK)
    two, _ = sounding(alice, TALK)
    new = merge(alice, one, two).json["id"]
    (job,) = jobs_of(new)
    join = derive.join

    def join_and_delete(*args: Any, **kwargs: Any) -> float:
        assert alice.delete(f"{V1}/{new}").status_code == 200
        return join(*args, **kwargs)

    monkeypatch.setattr(derive, "join", join_and_delete)
    runner.run(job.id)
    release()
    unwanted_blobs.clear()
    assert audio_keys(backends) == keys_of_rows()
    assert len(audio_keys(backends)) == 2


def run_at_once(*job_ids: int) -> None:
    """Run jobs in threads that all start together."""
    start = threading.Barrier(len(job_ids))

    def work(job_id: int) -> None:
        start.wait()
        runner.run(job_id)

    threads = [threading.Thread(target=work, args=(job_id,)) for job_id in job_ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_both_halves_of_a_cut_at_once_delete_the_original_once(alice: Person, backends: Backends) -> None:
    one, _ = sounding(alice, TALK)
    new = [each["id"] for each in cut(alice, one, 10.0, keep_original=False).json["recordings"]]
    run_at_once(*(job.id for each in new for job in jobs_of(each)))
    assert [detail(alice, each)["status"] for each in new] == ["COMPLETED", "COMPLETED"]
    assert alice.get(f"{V1}/{one}").status_code == 404
    assert audio_keys(backends) == keys_of_rows()
    assert len(audio_keys(backends)) == 2


def test_two_merges_at_once_that_delete_the_originals(alice: Person, backends: Backends) -> None:
    one, _ = sounding(alice, TALK)
    two, _ = sounding(alice, TALK)
    new = [merge(alice, *ids, keep_originals=False).json["id"] for ids in ((one, two), (two, one))]
    run_at_once(*(job.id for each in new for job in jobs_of(each)))
    statuses = {each: alice.get(f"{V1}/{each}/status").json for each in new}
    assert sorted(each["status"] for each in statuses.values()) == ["COMPLETED", "FAILED"]
    assert [each["error_code"] for each in statuses.values() if each["status"] == "FAILED"] == [
        "source_deleted"
    ]
    assert audio_keys(backends) == keys_of_rows()
    assert len(audio_keys(backends)) == 1
