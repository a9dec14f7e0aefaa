"""A server that has files, and a person who uploads from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from speakr.db import db, release, unit_of_work
from speakr.domain.jobs import JobState
from speakr.jobs import runner
from speakr.models import Job
from speakr.settings import Settings
from tests.conftest import Person, wav
from tests.fakes import MemoryJobNotifier
from tests.webhooks.receiver import Receiver

FROM_URL = "/api/v1/recordings/from-url"
AUDIO = wav(1.0)


@pytest.fixture
def tuned(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Settings a test wants otherwise: `@pytest.mark.parametrize("tuned", [{...}], indirect=True)`."""
    return dict(getattr(request, "param", {}))


@pytest.fixture
def settings(settings: Settings, tuned: dict[str, Any]) -> Settings:
    return replace(
        settings,
        **{
            "fetch_allowed_hosts": "127.0.0.0/8",
            "fetch_idle_seconds": 5.0,
            "fetch_timeout_seconds": 30.0,
            "worker_count": 8,
            **tuned,
        },
    )


@pytest.fixture
def remote() -> Iterator[Receiver]:
    with Receiver() as made:
        yield made


@pytest.fixture
def other() -> Iterator[Receiver]:
    """A server on another port, which is another origin."""
    with Receiver() as made:
        yield made


@pytest.fixture
def fetch_all(app: Flask, notifier: MemoryJobNotifier) -> Callable[[], None]:
    """Do all fetches that wait, with their retries, here and now; other jobs stay where they are."""

    def answer_all() -> None:
        while True:
            notifier.notifications.clear()
            release()
            waiting = db.session.scalars(
                select(Job.id).where(Job.kind == "fetch", Job.state == JobState.QUEUED).order_by(Job.id)
            ).all()
            if not waiting:
                return
            for job_id in waiting:
                with unit_of_work() as session:
                    session.execute(update(Job).where(Job.id == job_id).values(not_before=None))
                runner.run(job_id)

    return answer_all


@pytest.fixture
def fetched(fetch_all: Callable[[], None]) -> Callable[..., dict[str, Any]]:
    """Upload from a URL, do the work, and return what becomes of it."""

    def upload(person: Person, url: str, **fields: Any) -> dict[str, Any]:
        upload_id = opened(person, url, **fields)
        fetch_all()
        return looked_at(person, upload_id)

    return upload


def opened(person: Person, url: str, **fields: Any) -> int:
    answer = person.post(FROM_URL, json={"url": url, **fields})
    assert answer.status_code == 202, answer.json
    return int(answer.json["id"])


def looked_at(person: Person, upload_id: int) -> dict[str, Any]:
    answer = person.get(f"/api/v1/uploads/{upload_id}")
    assert answer.status_code == 200, answer.json
    found: dict[str, Any] = answer.json
    return found


def recordings_of(person: Person) -> list[dict[str, Any]]:
    release()
    found: list[dict[str, Any]] = person.get("/api/v1/recordings").json["recordings"]
    return found
