"""Fetches that run at the same time, on both databases."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Callable

import pytest
from sqlalchemy import select

from speakr.db import db, release
from speakr.jobs import runner
from speakr.models import Job, Recording
from tests.conftest import Person, wav
from tests.fetches.answers import a_file
from tests.fetches.conftest import looked_at, opened, recordings_of
from tests.webhooks.receiver import Answer, Connection, Receiver


def once_both_asked(both: asyncio.Barrier, answer: Answer) -> Answer:
    """Answer when two requests have come."""

    async def wait_and_answer(connection: Connection) -> None:
        async with asyncio.timeout(20):
            await both.wait()
        await answer(connection)

    return wait_and_answer


def run_at_once() -> None:
    """Run all fetches, each in a thread of its own."""
    release()
    jobs = db.session.scalars(select(Job.id).where(Job.kind == "fetch").order_by(Job.id)).all()
    release()
    threads = [threading.Thread(target=runner.run, args=(job_id,)) for job_id in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    release()


def test_two_tenants_fetch_at_the_same_time(alice: Person, bob: Person, remote: Receiver) -> None:
    files = {alice.id: wav(1.0, frequency=300.0), bob.id: wav(1.0, frequency=400.0)}
    uploads, both = {}, asyncio.Barrier(2)
    for person in (alice, bob):
        remote.script(f"/{person.name}.wav", once_both_asked(both, a_file(files[person.id])))
        uploads[person.id] = opened(person, remote.url(f"/{person.name}.wav"))
    run_at_once()
    for person in (alice, bob):
        (recording,) = recordings_of(person)
        assert looked_at(person, uploads[person.id])["recording_id"] == recording["id"]
        row = db.session.get_one(Recording, recording["id"])
        assert row.sha256 == hashlib.sha256(files[person.id]).hexdigest()


@pytest.mark.parametrize("tuned", [{"fetches_per_user": 1}], indirect=True)
def test_of_one_users_fetches_only_as_many_run_as_may(
    alice: Person, remote: Receiver, fetch_all: Callable[[], None]
) -> None:
    going, most = [0], [0]

    async def count(connection: Connection) -> None:
        going[0] += 1
        most[0] = max(most[0], going[0])
        await asyncio.sleep(0.5)  # long enough for the other one to come, if it may
        going[0] -= 1
        await a_file(wav(0.5))(connection)

    for number in range(3):
        remote.script(f"/{number}.wav", count)
        opened(alice, remote.url(f"/{number}.wav"))
    run_at_once()
    fetch_all()
    assert most[0] == 1
    assert len(recordings_of(alice)) == 3
