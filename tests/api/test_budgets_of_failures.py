"""Tokens of failed work count too, and reduce the month's budget."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete

from speakr.db import unit_of_work
from speakr.domain.errors import ConnectorRejected, ConnectorUnavailable, JobError
from speakr.domain.statements import Usage
from speakr.models import User
from tests.api.talk import ROUTES, TALK, post, tokens_of, with_transcript
from tests.conftest import Person
from tests.fakes import FakeWriter

Upload = Callable[..., Any]
Work = Callable[[], None]


def failing(error: JobError, tokens: int) -> Callable[[object], None]:
    def fail(_request: object) -> None:
        error.tokens_spent = tokens
        raise error

    return fail


@pytest.fixture
def talk(alice: Person, upload: Upload) -> int:
    """A recording of alice's with a transcript."""
    return with_transcript(upload(alice, title="Talk").json["id"], TALK)


@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "once"}], ids=["plain", "with a key"])
@pytest.mark.parametrize("route", ROUTES)
def test_a_question_that_failed_halfway(
    alice: Person, talk: int, writer: FakeWriter, route: str, key: dict[str, str]
) -> None:
    writer.before = writer.before_title = failing(ConnectorUnavailable("gone"), 70)
    path = f"/api/v1/recordings/{talk}/{route}"
    assert alice.post(path, json={"message": "What?"}, headers=key).status_code == 503
    assert tokens_of(alice) == 70


@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "once"}], ids=["plain", "with a key"])
def test_a_title_that_came_too_late(
    app: Flask, alice: Person, talk: int, writer: FakeWriter, key: dict[str, str]
) -> None:
    def type_a_title(_request: object) -> None:
        with app.app_context():  # as another request has its own
            typed = alice.patch(f"/api/v1/recordings/{talk}", json={"title": "Mine"})
            assert typed.status_code == 200

    writer.before_title, writer.title_usage = type_a_title, Usage(4, 1)
    assert alice.post(f"/api/v1/recordings/{talk}/regenerate_title", headers=key).status_code == 409
    assert tokens_of(alice) == 5


def test_the_next_question_meets_the_spent_budget(alice: Person, talk: int, writer: FakeWriter) -> None:
    with unit_of_work() as session:
        session.get_one(User, alice.id).token_budget = 50
    writer.before = failing(ConnectorRejected("declined"), 60)
    assert post(alice, talk, "chat").status_code == 503
    writer.before = None
    assert post(alice, talk, "chat").json["code"] == "token_budget_exceeded"


def test_a_summary_that_fails_counts_for_the_owner(
    alice: Person, upload: Upload, work: Work, writer: FakeWriter
) -> None:
    writer.before = failing(ConnectorRejected("declined"), 60)
    upload(alice)
    work()
    assert tokens_of(alice) == 60


def test_a_summary_whose_title_fails_counts_both(
    alice: Person, upload: Upload, work: Work, writer: FakeWriter
) -> None:
    writer.before_title = failing(ConnectorRejected("declined"), 9)
    upload(alice)
    work()
    assert tokens_of(alice) == 15 + 9


def test_who_was_deleted_meanwhile_has_no_budget(
    alice: Person, upload: Upload, work: Work, writer: FakeWriter
) -> None:
    def delete_alice(request: object) -> None:
        with unit_of_work() as session:
            session.execute(delete(User).where(User.id == alice.id))
        failing(ConnectorRejected("declined"), 60)(request)

    writer.before = delete_alice
    upload(alice)
    work()  # nothing is left to count for, and nothing fails
    with unit_of_work() as session:
        assert session.get(User, alice.id) is None
