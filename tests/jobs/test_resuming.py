"""An interrupted job must not send an event twice, leave files behind, or wait for help for ever."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from redis import ConnectionError as RedisConnectionError
from redis import Redis
from sqlalchemy import select

from speakr import backends as plumbing
from speakr.backends import Backends
from speakr.db import db, release, unit_of_work
from speakr.domain.errors import ConnectorUnavailable
from speakr.domain.jobs import JobKind, JobState, Queue
from speakr.jobs import runner, scratch, transcribe, worker_locks, worker_names
from speakr.models import Job, JobChunk
from speakr.queue import RedisJobNotifier
from speakr.services.jobs import chunks, claims, recovery
from speakr.services.system import maintenance
from speakr.storage.base import StorageFull
from tests.conftest import Person
from tests.fakes import FakeTranscriber, MemoryJobNotifier
from tests.jobs.looking import event_types, job_of
from tests.servers import RedisServer


def claimed(job_id: int, worker: str = "w1") -> claims.Claim:
    with unit_of_work():
        held = claims.claim(job_id, worker)
    assert held is not None
    return held


def test_a_job_handed_over_without_a_plan_sends_one_started_event(app: Flask, recorded: int) -> None:
    job_id = job_of(recorded).id
    for _ in range(3):
        claimed(job_id)
        recovery.hand_back("w1")
    claimed(job_id)
    assert event_types().count("recording.transcription.started") == 1


def test_a_job_that_is_tried_again_is_shown_as_being_processed(
    alice: Person, recorded: int, work: Callable[[], int], transcriber: FakeTranscriber
) -> None:
    def busy(_chunk: object) -> None:
        raise ConnectorUnavailable("The engine is busy.")

    transcriber.before = busy
    work()
    assert alice.get(f"/api/v1/recordings/{recorded}/status").json["status"] == "PENDING"
    job_id = job_of(recorded).id
    with unit_of_work() as session:
        session.get_one(Job, job_id).not_before = None
    claimed(job_id)
    assert alice.get(f"/api/v1/recordings/{recorded}/status").json["status"] == "PROCESSING"
    assert event_types().count("recording.transcription.started") == 1


def test_what_a_horse_left_behind_is_not_prolonged_with_what_the_next_one_holds(
    app: Flask, recorded: int
) -> None:
    """The horses of one worker claim under names of their own."""
    first, second = runner.claim_owner("w1", 11), runner.claim_owner("w1", 12)
    job_id = job_of(recorded).id
    claimed(job_id, first)
    with unit_of_work() as session:
        job = session.get_one(Job, job_id)
        job.lease_expires_at = job.created_at
    recovery.renew(second)
    maintenance.run_maintenance()
    assert job_of(recorded).state is JobState.QUEUED


def test_names_of_claimants_fit_their_column() -> None:
    longest = runner.claim_owner(worker_names.make("h" * 64, 2**22, 10**9 - 1), 2**22)
    assert len(longest) <= Job.__table__.c.worker.type.length
    assert len(longest) <= JobChunk.__table__.c.worker.type.length


def test_audio_decoded_for_a_recording_that_was_deleted_meanwhile_is_dropped(
    alice: Person,
    recorded: int,
    work: Callable[[], int],
    backends: Backends,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decode = transcribe.decode_track

    def delete_meanwhile(*args: object, **wanted: object) -> object:
        assert alice.delete(f"/api/v1/recordings/{recorded}").status_code == 200
        return decode(*args, **wanted)

    monkeypatch.setattr(transcribe, "decode_track", delete_meanwhile)
    work()
    maintenance.run_maintenance()
    assert list(backends.storage.keys("pcm")) == []


def test_a_full_disk_while_decoding_is_reported_and_retried(
    app: Flask, recorded: int, work: Callable[[], int], backends: Backends, monkeypatch: pytest.MonkeyPatch
) -> None:
    class FullStorage:
        def __getattr__(self, name: str) -> object:
            return getattr(backends.storage, name)

        def create(self, key: str) -> object:
            raise StorageFull

    monkeypatch.setattr(plumbing, "_backends", replace(backends, storage=FullStorage()))
    work()
    job = job_of(recorded)
    assert (job.state, job.error_code) == (JobState.QUEUED, "out_of_space")


# -- waiting for helpers


def test_the_end_of_a_chunk_wakes_the_owner(queues: Redis) -> None:
    notifier = RedisJobNotifier(queues)
    ended = threading.Timer(0.2, notifier.chunk_ended, [7])
    ended.start()
    began = time.monotonic()
    notifier.wait_for_chunk(7, 30.0)
    ended.join()
    assert 0.1 < time.monotonic() - began < 15.0


def test_a_chunk_that_ended_before_the_wait_ends_it_and_many_end_only_one(queues: Redis) -> None:
    notifier = RedisJobNotifier(queues)
    for _ in range(3):
        notifier.chunk_ended(7)
    notifier.chunk_ended(8)
    began = time.monotonic()
    notifier.wait_for_chunk(7, 30.0)
    assert time.monotonic() - began < 15.0
    began = time.monotonic()
    notifier.wait_for_chunk(7, 0.2)
    assert time.monotonic() - began > 0.1, "a chunk that had ended long ago woke the owner again"


def test_an_owner_without_redis_looks_again_by_itself(
    app: Flask, backends: Backends, monkeypatch: pytest.MonkeyPatch
) -> None:
    class NoRedis(MemoryJobNotifier):
        def wait_for_chunk(self, job_id: int, seconds: float) -> None:
            raise RedisConnectionError

    monkeypatch.setattr(plumbing, "_backends", replace(backends, notifier=NoRedis()))
    monkeypatch.setattr(transcribe, "_ASK_WHETHER_WANTED_SECONDS", 0.2)
    began = time.monotonic()
    transcribe._wait_for_helpers(7)
    assert time.monotonic() - began > 0.15, "it asked the database as often as it could"


# -- the order of the queue


@pytest.fixture
def queues(redis_process: RedisServer, redis_connection: Redis) -> Iterator[Redis]:
    """Real queues, empty before and after."""
    redis_process.flush()
    yield redis_connection
    redis_process.flush()


def ids_in(redis_connection: Redis, queue: str) -> list[int]:
    return [
        int(entry.decode().split("-")[1]) for entry in redis_connection.lrange(f"rq:queue:{queue}", 0, -1)
    ]


def test_an_interrupted_job_goes_to_the_front_of_the_queue(queues: Redis) -> None:
    notifier = RedisJobNotifier(queues)
    for job_id in (2, 3):
        notifier.notify(JobKind.TRANSCRIBE, job_id, 1)
    notifier.notify(JobKind.TRANSCRIBE, 1, 2)
    assert ids_in(queues, Queue.SPEECH) == [1, 2, 3]


def test_lost_rings_come_back_in_the_order_of_the_queue(
    app: Flask,
    alice: Person,
    upload: Callable[..., Any],
    backends: Backends,
    queues: Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for title in ("first", "second", "third"):
        upload(alice, title=title)
    release()
    jobs = db.session.scalars(select(Job).order_by(Job.id)).all()
    with unit_of_work() as session:
        for job in jobs:
            session.get_one(Job, job.id).rung_at = job.created_at.replace(year=2020)
    real = replace(backends, notifier=RedisJobNotifier(queues))
    monkeypatch.setattr(plumbing, "_backends", real)
    maintenance.run_maintenance()
    assert ids_in(queues, Queue.SPEECH) == [job.id for job in jobs]


def test_calls_for_help_that_wait_are_enough(queues: Redis) -> None:
    notifier = RedisJobNotifier(queues)
    for _ in range(3):
        notifier.notify_helpers(7, 1, 2)
    assert ids_in(queues, Queue.HELP) == [7, 7]
    assert notifier.depth() == 0, "a call for help is not work that others wait for"


# -- help


def cut_in_ten(job_id: int, worker: str = "owner") -> claims.Claim:
    held = claimed(job_id, worker)
    transcribe.prepare(held, transcribe._decode_recording, are_speakers_wanted=True)
    release()
    return held


def test_help_is_called_for_again_while_chunks_wait(
    app: Flask, recorded: int, notifier: MemoryJobNotifier
) -> None:
    job_id = job_of(recorded).id
    held = cut_in_ten(job_id)
    with unit_of_work():
        chunks.claim_next(job_id, "owner")
    notifier.notifications.clear()
    maintenance.run_maintenance()
    assert notifier.helper_rings == [(job_id, held.fence, 1)], "two workers, one of them idle"


def test_no_help_is_called_for_while_all_are_at_work_or_others_wait(
    app: Flask, recorded: int, notifier: MemoryJobNotifier
) -> None:
    job_id = job_of(recorded).id
    cut_in_ten(job_id)
    maintenance.run_maintenance()
    assert notifier.notifications, "the notification of the upload still waits in this test"
    assert notifier.helper_rings == []
    notifier.notifications.clear()
    for worker in ("owner", "helper"):
        with unit_of_work():
            chunks.claim_next(job_id, worker)
    maintenance.run_maintenance()
    assert notifier.helper_rings == []


def test_no_help_is_called_for_when_every_chunk_is_taken(
    app: Flask, recorded: int, work: Callable[[], int], notifier: MemoryJobNotifier
) -> None:
    work()
    notifier.helper_rings.clear()
    maintenance.run_maintenance()
    assert notifier.helper_rings == []
    assert db.session.scalars(select(JobChunk.id)).all()


# -- scratch folders


def test_a_scratch_folder_goes_with_its_user(app: Flask, tmp_path: Path, backends: Backends) -> None:
    with scratch.folder() as folder:
        (folder / "pcm").write_bytes(b"x")
        scratch.sweep()
        assert (folder / "pcm").exists(), "a folder in use was swept"
    assert not folder.exists()


def test_what_a_killed_horse_left_behind_is_swept(app: Flask) -> None:
    program = (
        "import os, sys; from speakr.jobs import scratch; from pathlib import Path\n"
        "scratch.parent = lambda: Path(sys.argv[1])\n"
        "folder = scratch.folder(); path = folder.__enter__(); (path / 'pcm').write_bytes(b'x'); os._exit(9)\n"
    )
    parent = scratch.parent()
    subprocess.run([sys.executable, "-c", program, str(parent)], env={**os.environ}, check=False)
    (left,) = [path for path in parent.glob("speakr-job-*") if (path / "pcm").exists()]
    scratch.sweep()
    assert not left.exists()


# -- worker_locks


def test_only_claims_of_the_dead_worker_are_requeued(app: Flask, recorded: int) -> None:
    job_id = job_of(recorded).id
    claimed(job_id, runner.claim_owner("host-1-2", 3))
    for other_worker in ("host-1-", "host-1-20", "host_1_2", "%"):
        recovery.worker_died(other_worker)
    assert job_of(recorded).state is JobState.RUNNING
    recovery.worker_died("host-1-2")
    job = job_of(recorded)
    assert (job.state, job.crashes, job.losses) == (JobState.QUEUED, 0, 1)


def test_a_lock_shows_when_its_worker_is_dead() -> None:
    program = (
        "import os, sys; from speakr.jobs import worker_locks, scratch; from pathlib import Path\n"
        "scratch.parent = lambda: Path(sys.argv[1])\n"
        "worker_locks.acquire('killed'); print('held', flush=True); sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", program, str(scratch.parent())]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"held\n"
        assert list(worker_locks.stale()) == []
        worker.kill()
    for name in worker_locks.stale():
        assert name == "killed"
        break  # what it held could not be taken back
    assert list(worker_locks.stale()) == ["killed"]
    assert list(worker_locks.stale()) == []


def test_a_worker_that_stops_in_good_order_is_not_taken_for_dead() -> None:
    worker_locks.drop("w1", worker_locks.acquire("w1"))
    assert list(worker_locks.stale()) == []


@pytest.fixture(autouse=True)
def _own_scratch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep out of the way of other tests' folders."""
    own = tmp_path / "scratch"
    own.mkdir()
    monkeypatch.setattr(scratch, "parent", lambda: own)
