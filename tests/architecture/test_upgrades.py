"""Jobs that are queued or running while the database is migrated go on afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import JSON, Connection, MetaData, Table, select

from speakr import backends as plumbing
from speakr.app import create_app
from speakr.backends import Backends
from speakr.db import db, make_engine, unit_of_work
from speakr.domain.clock import now
from speakr.domain.jobs import JobState
from speakr.jobs import runner, transcribe
from speakr.jobs.plan import TranscriptionPlan
from speakr.models import Job, JobBlob, JobChunk, Segment, WebhookSequence
from speakr.schema import downgrade, upgrade
from speakr.settings import Settings
from tests.fakes import FakeTranscriber

BEFORE = "9b1d7c40e6a2"
HALF_HEARD, UNCUT, ENDED, DELETED = 1, 2, 3, 9
HALF, WHOLE, GONE = (f"pcm/{digit * 2}/{digit * 32}" for digit in "012")
PLAN = {
    "pcm_key": HALF, "duration_seconds": 4.0, "are_speakers_wanted": True, "is_cut": True,
    "chunk_count": 2, "seams": [], "overlap": 0.0, "a key of another version": 1,
}  # fmt: skip
HEARD = {
    "engine": "fake", "ignored": [], "is_diarized": False, "start": 0.0, "end": 1.0, "language": "en",
    "times_estimated": False, "voices": None,
    "segments": [
        {"start": 0.0, "end": 1.0, "text": "before the upgrade", "speaker": "SPEAKER_00", "confidence": 0.9, "words": [],
         "overlap": False},
    ],
}  # fmt: skip


class OldTables:
    """Inserts rows into tables as they are in the database, whatever the code says of them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._metadata = MetaData()

    def add(self, name: str, **values: Any) -> None:
        table = Table(name, self._metadata, autoload_with=self._connection)
        # A column without a default and a value gets the empty value of its type.
        empty = {
            column.name: {} if isinstance(column.type, JSON) else _empty(column.type.python_type)
            for column in table.columns
            if not column.nullable and column.name not in values and column.name != "id"
        }
        self._connection.execute(table.insert().values(**empty, **values))


def _empty(kind: type) -> Any:
    return {bool: False, int: 0, float: 0.0, str: ""}.get(kind, now().replace(tzinfo=None))


def _fill(database_url: str) -> None:
    engine = make_engine(database_url)
    with engine.begin() as connection:
        tables = OldTables(connection)
        tables.add("users", id=1, username="ann", is_active=True)
        for number in (1, 2, 3):
            tables.add(
                "recordings", id=number, user_id=1, status="PROCESSING", storage_key=f"audio/00/{number}"
            )
        common = {"user_id": 1, "kind": "transcribe"}
        tables.add("jobs", id=HALF_HEARD, recording_id=1, state="queued", plan=PLAN, **common)
        tables.add("jobs", id=UNCUT, recording_id=2, state="running", plan={"pcm_key": WHOLE}, **common)
        tables.add("jobs", id=ENDED, recording_id=3, state="failed", plan={"pcm_key": GONE}, **common)
        tables.add("jobs", id=DELETED, recording_id=3, state="failed", **common)
        connection.exec_driver_sql("DELETE FROM jobs WHERE id = 9")
        for number, is_ordered in ((1, True), (2, False)):
            tables.add("webhooks", id=number, user_id=1, is_ordered=is_ordered)
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SELECT setval('jobs_id_seq', 9)")
        tables.add("job_chunks", id=1, job_id=1, position=0, spans=[[0.0, 1.0]], state="done", result=HEARD)
        tables.add("job_chunks", id=2, job_id=1, position=1, spans=[[2.0, 3.0]], state="pending")
    engine.dispose()


@pytest.fixture
def upgraded(
    empty_database: str, settings: Settings, backends: Backends, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Flask]:
    """An app on a database that was migrated while jobs were active."""
    upgrade(empty_database, BEFORE)
    _fill(empty_database)
    upgrade(empty_database)
    monkeypatch.setattr(transcribe, "_engines", None)
    plugs = replace(backends, settings=replace(settings, database_url=empty_database))
    app = create_app(plugs.settings, plugs)
    plumbing.set_backends(plugs)
    runner.bind_app(app)
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


# Which database the app uses is up to `empty_database`.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_a_job_that_was_half_done_is_completed(
    upgraded: Flask, backends: Backends, transcriber: FakeTranscriber
) -> None:
    sink = backends.storage.create(HALF)
    sink.write(bytes(4 * 32_000))
    sink.commit()
    runner.run(HALF_HEARD)
    texts = db.session.scalars(select(Segment.text).order_by(Segment.position)).all()
    assert texts == ["before the upgrade", "heard 2.0-3.0"]
    assert len(transcriber.chunks) == 1, "what was done before the upgrade was done again"
    assert db.session.get_one(Job, HALF_HEARD).state is JobState.SUCCEEDED
    assert list(backends.storage.keys("pcm")) == []


def test_rows_are_carried_over(upgraded: Flask) -> None:
    blobs = {blob.job_id: blob.storage_key for blob in db.session.scalars(select(JobBlob))}
    assert blobs == {HALF_HEARD: HALF, UNCUT: WHOLE}
    assert [chunk.state.value for chunk in db.session.scalars(select(JobChunk).order_by(JobChunk.id))] == [
        "done",
        "pending",
    ]
    jobs = {job.id: job for job in db.session.scalars(select(Job).order_by(Job.id))}
    assert [job.dedupe_key for job in jobs.values()] == [
        f"transcribe:recording-{number}" for number in (1, 2, 3)
    ]
    assert jobs[UNCUT].plan is None, "a plan is there once the audio is cut"
    plan = TranscriptionPlan.from_json(jobs[HALF_HEARD].plan or {})
    assert (plan.pcm_key, plan.chunk_count, plan.voice_step_seconds) == (HALF, 2, None)


def test_only_ordered_webhooks_have_a_sequence(upgraded: Flask) -> None:
    found = db.session.execute(select(WebhookSequence.webhook_id, WebhookSequence.last)).all()
    assert [tuple(row) for row in found] == [(1, 0)]


def test_ids_of_deleted_jobs_are_not_used_again(upgraded: Flask) -> None:
    with unit_of_work() as session:
        job = Job(user_id=1, recording_id=3, kind="transcribe")
        session.add(job)
        session.flush()
        assert job.id > DELETED


def test_a_downgrade_gives_plans_their_blobs_back(upgraded: Flask, empty_database: str) -> None:
    with unit_of_work() as session:
        session.add(Job(user_id=1, kind="toy"))
    db.session.remove()
    db.engine.dispose()
    downgrade(empty_database, BEFORE)
    engine = make_engine(empty_database)
    with engine.connect() as connection:
        jobs = Table("jobs", MetaData(), autoload_with=connection)
        kept = dict(connection.execute(select(jobs.c.id, jobs.c.plan)).all())
    engine.dispose()
    assert kept[HALF_HEARD]["is_cut"] is True
    assert (kept[UNCUT]["pcm_key"], kept[UNCUT]["is_cut"]) == (WHOLE, False)
    assert set(kept) == {HALF_HEARD, UNCUT, ENDED}, "a job without a recording cannot be there"
    upgrade(empty_database)
