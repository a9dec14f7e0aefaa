"""Tokens made with a token end with it; their number and their requests are limited per user."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from speakr.db import db, unit_of_work
from speakr.domain.caps import CAPS, Noun
from speakr.domain.errors import NotAuthenticated
from speakr.domain.permissions import DEFAULT_SCOPES, Actor, Scope
from speakr.models import ApiToken, User
from speakr.services.accounts import administration, sessions, tokens, users
from tests.conftest import Person

TOKENS = "/api/v1/tokens"
ME = "/api/v1/users/me"


def with_token(person: Person, raw: str) -> Person:
    return Person(person.id, person.name, raw, person.client)


def child_of(person: Person, **form: object) -> Person:
    answer = person.post(TOKENS, json={"name": "child", **form})
    assert answer.status_code == 201, answer.text
    return with_token(person, answer.json["token"])


def test_revoking_a_token_revokes_its_descendants(alice: Person) -> None:
    child = child_of(alice)
    grandchild = child_of(child)
    other = child_of(alice)
    listed = {token["name"]: token["id"] for token in alice.get(TOKENS).json["tokens"]}
    assert len(listed) == 2
    child_id = alice.get(TOKENS).json["tokens"][2]["id"]
    assert alice.delete(f"{TOKENS}/{child_id}").status_code == 200
    assert [each.get(ME).status_code for each in (child, grandchild, other, alice)] == [401, 401, 200, 200]


def test_a_token_expires_no_later_than_its_parent(alice: Person) -> None:
    short = child_of(alice, expires_in_days=1)
    eternal = short.post(TOKENS, json={"expires_in_days": 0}).json
    longer = short.post(TOKENS, json={"expires_in_days": 30}).json
    parent = next(token for token in alice.get(TOKENS).json["tokens"] if token["id"] == eternal["id"] - 1)
    assert eternal["expires_at"] == longer["expires_at"] == parent["expires_at"] is not None


def test_a_token_has_no_scope_that_its_parent_lacks(make_person) -> None:
    reader = make_person("reader", scopes=frozenset({Scope.READ, Scope.WRITE}))
    refused = reader.post(TOKENS, json={"scopes": ["webhooks"]})
    assert (refused.status_code, refused.json["code"]) == (403, "scope_missing")


def test_valid_tokens_of_a_user_are_capped(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CAPS, Noun.TOKENS, 3)
    child_of(alice)
    last = alice.post(TOKENS, json={}).json
    refused = alice.post(TOKENS, json={})
    assert (refused.status_code, refused.json["code"]) == (409, "token_cap")
    assert alice.delete(f"{TOKENS}/{last['id']}").status_code == 200
    assert alice.post(TOKENS, json={}).status_code == 201


def test_an_administrator_ends_the_credentials_of_a_user(make_person, alice: Person) -> None:
    admin = make_person("root", is_admin=True, scopes=frozenset(Scope))
    child = child_of(alice)
    assert alice.delete(f"/api/v1/admin/users/{admin.id}/credentials").status_code == 403
    assert admin.delete(f"/api/v1/admin/users/{alice.id}/credentials").status_code == 204
    assert [each.get(ME).status_code for each in (alice, child, admin)] == [401, 401, 200]
    assert admin.delete("/api/v1/admin/users/999999/credentials").status_code == 404


@pytest.mark.parametrize("change", [{"is_active": False}, {"password": "another long one"}])
def test_deactivation_and_a_new_password_end_tokens_for_good(
    make_person, alice: Person, change: dict
) -> None:
    admin = make_person("root", is_admin=True, scopes=frozenset(Scope))
    assert admin.patch(f"/api/v1/admin/users/{alice.id}", json=change).status_code == 200
    admin.patch(f"/api/v1/admin/users/{alice.id}", json={"is_active": True})
    assert alice.get(ME).status_code == 401
    with unit_of_work() as session:
        assert all(token.is_revoked for token in session.query(ApiToken).filter_by(user_id=alice.id))


def test_deactivation_cancels_jobs_and_sends_no_further_event(make_person, alice: Person, upload) -> None:
    admin = make_person("root", is_admin=True, scopes=frozenset(Scope))
    alice.post(
        "/api/v1/webhooks",
        json={"name": "n", "url": "https://hooks.example.com/x", "events": ["recording.created"]},
    )
    recording = upload(alice).json["id"]
    assert admin.patch(f"/api/v1/admin/users/{alice.id}", json={"is_active": False}).status_code == 200
    from speakr.models import Delivery, Job

    with unit_of_work() as session:
        jobs = session.query(Job).filter_by(recording_id=recording).all()
        assert [job.state for job in jobs] == ["cancelled"]
        assert {delivery.status for delivery in session.query(Delivery)} <= {"permanent_failure"}


ROOT = Actor(0, "root", is_admin=True, scopes=frozenset(Scope))


@contextlib.contextmanager
def in_background(app: Flask, action: Callable[[], None]) -> Iterator[threading.Thread]:
    """Run an action in a thread and an app context of its own; wait for it at the end of the block."""

    def run() -> None:
        with app.app_context():
            action()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield thread
    finally:
        thread.join(20)
        assert not thread.is_alive()


def actor_with(person: Person, credential: str) -> Actor:
    """Return the actor of a request that was authenticated a moment ago."""
    if credential == "token":
        return tokens.authenticate(person.token)
    if credential == "password":
        return Actor(person.id, person.name, is_admin=False, scopes=DEFAULT_SCOPES)
    with unit_of_work() as session:
        session.get_one(User, person.id).password_hash = "a hash"
        secret = sessions.start_with_secret(person.id, "a hash", "cookie", timedelta(hours=1))
    return sessions.by_secret(secret, "cookie")


@pytest.mark.parametrize("credential", ["token", "session", "password"])
def test_a_request_that_waits_for_a_revocation_creates_no_token(
    app: Flask, alice: Person, credential: str
) -> None:
    who = actor_with(alice, credential)
    refused: list[bool] = []

    def create() -> None:
        with contextlib.suppress(NotAuthenticated), unit_of_work():
            tokens.create_for(who, name="late", expires_in_days=0, scopes=None)
            refused.append(False)
            return
        refused.append(True)

    with contextlib.ExitStack() as background, unit_of_work():
        user = users.held(alice.id)
        thread = background.enter_context(in_background(app, create))
        thread.join(0.3)  # it waits for the row, or for the other writer of SQLite
        administration.end_credentials(ROOT, alice.id)
        user.is_active = credential != "password"
    assert refused == [True]
    assert not names_of_valid_tokens(alice)


def test_a_revocation_waits_for_a_token_that_is_being_created(app: Flask, alice: Person) -> None:
    parent = tokens.authenticate(alice.token)

    def revoke() -> None:
        assert parent.token_id is not None
        with unit_of_work():
            tokens.revoke(parent, parent.token_id)

    with contextlib.ExitStack() as background, unit_of_work():
        tokens.create_for(parent, name="child", expires_in_days=0, scopes=None)
        background.enter_context(in_background(app, revoke)).join(0.3)
    assert not names_of_valid_tokens(alice)


def names_of_valid_tokens(person: Person) -> list[str]:
    db.session.rollback()
    valid = (ApiToken.user_id == person.id, ApiToken.revoked_at.is_(None))
    return list(db.session.scalars(select(ApiToken.name).where(*valid)))
