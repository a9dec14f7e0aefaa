"""Tokens: what they open, and for how long."""

import base64
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from speakr.db import db, release, unit_of_work
from speakr.domain.clock import now
from speakr.domain.permissions import Scope
from speakr.models import ApiToken
from speakr.services.accounts import tokens, users
from tests.conftest import Person


def test_only_the_hash_is_stored(app: Flask, alice: Person) -> None:
    row = db.session.scalars(select(ApiToken)).one()
    assert alice.token not in {str(value) for value in vars(row).values()}
    assert len(alice.token) == 43
    assert row.sha256 != alice.token
    assert alice.token.startswith(row.prefix)


@pytest.mark.parametrize("header", ["X-API-Token", "API-Token"])
def test_every_documented_header_authenticates(alice: Person, header: str) -> None:
    assert alice.client.get("/api/v1/users/me", headers={header: alice.token}).json["id"] == alice.id


def test_the_query_string_opens_it_for_reading_only(alice: Person) -> None:
    assert alice.client.get(f"/api/v1/users/me?token={alice.token}").status_code == 200
    assert alice.client.post(f"/api/v1/tokens?token={alice.token}", json={"name": "x"}).status_code == 401
    assert alice.client.delete(f"/api/v1/recordings/1?token={alice.token}").status_code == 401


def test_a_wrong_bearer_is_not_followed_by_a_second_look(alice: Person) -> None:
    answer = alice.client.get(
        "/api/v1/users/me", headers={"Authorization": "Bearer wrong", "X-API-Token": alice.token}
    )
    assert answer.status_code == 401
    assert answer.json["code"] == "invalid_token"


@pytest.mark.parametrize(
    "value", ["", "Bearer", "Bearer ", "bearer x", "Basic Og==", "Bearer \xff\xfe", "Bearer " + "x" * 5000]
)
def test_nonsense_credentials_are_401_in_json(alice: Person, value: str) -> None:
    answer = alice.client.get("/api/v1/users/me", headers={"Authorization": value})
    assert answer.status_code == 401
    assert set(answer.json) == {"error", "code", "request_id"}
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_an_expired_token_has_its_own_message(app: Flask, alice: Person) -> None:
    with unit_of_work() as session:
        session.scalars(select(ApiToken)).one().expires_at = now() - timedelta(seconds=1)
    answer = alice.get("/api/v1/users/me")
    assert (answer.status_code, answer.json["code"]) == (401, "expired_token")


def test_a_revoked_token_is_dead_at_once_and_stays_in_the_list(alice: Person) -> None:
    made = alice.post("/api/v1/tokens", json={"name": "second"}).json
    headers = {"Authorization": f"Bearer {made['token']}"}
    assert alice.client.get("/api/v1/users/me", headers=headers).status_code == 200
    assert alice.delete(f"/api/v1/tokens/{made['id']}").json == {"message": "Token revoked successfully"}
    assert alice.client.get("/api/v1/users/me", headers=headers).status_code == 401
    listed = {token["id"]: token["revoked"] for token in alice.get("/api/tokens").json["tokens"]}
    assert listed[made["id"]] is True


def test_a_switched_off_user_is_out(app: Flask, alice: Person) -> None:
    with unit_of_work():
        users.get(alice.id).is_active = False
    assert alice.get("/api/v1/users/me").status_code == 401


def test_use_is_written_at_most_once_a_minute(app: Flask, alice: Person) -> None:
    def last_used() -> object:
        release()
        return db.session.scalars(select(ApiToken.last_used_at)).one()

    assert last_used() is None
    alice.get("/api/v1/users/me")
    first = last_used()
    assert first is not None
    alice.get("/api/v1/users/me")
    assert last_used() == first
    with unit_of_work() as session:
        session.scalars(select(ApiToken)).one().last_used_at = now() - timedelta(minutes=2)
    alice.get("/api/v1/users/me")
    assert last_used() >= first  # type: ignore[operator]


def test_a_token_cannot_give_what_it_lacks(make_person) -> None:
    reader = make_person("reader", scopes=frozenset({Scope.READ, Scope.WRITE}))
    assert reader.post("/api/v1/tokens", json={"scopes": ["process"]}).status_code == 403
    made = reader.post("/api/v1/tokens", json={})
    assert made.json["scopes"] == ["read", "write"]


def test_the_admin_scope_is_not_given_by_default(make_person) -> None:
    admin = make_person("root", is_admin=True, scopes=frozenset(Scope))
    assert "admin" not in admin.post("/api/v1/tokens", json={}).json["scopes"]
    assert "admin" in admin.post("/api/v1/tokens", json={"scopes": ["admin", "read"]}).json["scopes"]


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("get", "/api/v1/recordings", Scope.READ),
        ("patch", "/api/v1/recordings/1", Scope.WRITE),
        ("post", "/api/v1/recordings/1/transcribe", Scope.PROCESS),
        ("get", "/api/v1/webhooks", Scope.WEBHOOKS),
    ],
)
def test_each_scope_opens_its_own_routes(make_person, method: str, path: str, scope: Scope) -> None:
    without = make_person("without", scopes=frozenset(Scope) - {scope})
    with_it = make_person("with", scopes=frozenset({scope}))
    assert getattr(without, method)(path).json["code"] == "scope_missing"
    assert getattr(with_it, method)(path).status_code != 403


def test_a_password_buys_a_token_and_a_wrong_one_does_not(app: Flask, alice: Person) -> None:
    with unit_of_work():
        users.create(username="carol", password="correct horse")

    def ask(password: str):
        basic = base64.b64encode(f"carol:{password}".encode()).decode()
        return alice.client.post(
            "/api/tokens", headers={"Authorization": f"Basic {basic}"}, json={"name": "cli"}
        )

    assert ask("wrong horse").status_code == 401
    made = ask("correct horse")
    assert made.status_code == 201
    me = alice.client.get("/api/v1/users/me", headers={"API-Token": made.json["token"]})
    assert me.json["username"] == "carol"


def test_tokens_of_others_are_not_there(alice: Person, bob: Person) -> None:
    theirs = bob.get("/api/v1/tokens").json["tokens"][0]["id"]
    assert alice.patch(f"/api/v1/tokens/{theirs}", json={"name": "mine"}).status_code == 404
    assert alice.delete(f"/api/v1/tokens/{theirs}").status_code == 404
    assert bob.get("/api/v1/users/me").status_code == 200


@pytest.mark.parametrize("days", [-1, 1.5, "x", True, 10**12])
def test_an_impossible_life_is_refused(alice: Person, days: object) -> None:
    answer = alice.post("/api/v1/tokens", json={"expires_in_days": days})
    assert answer.status_code == 400
    assert "expires_in_days" in answer.json["errors"]


def test_renaming(alice: Person) -> None:
    token = alice.get("/api/v1/tokens").json["tokens"][0]["id"]
    assert alice.patch(f"/api/v1/tokens/{token}", json={"name": " new "}).json["name"] == "new"
    assert alice.patch(f"/api/v1/tokens/{token}", json={"name": "  "}).status_code == 400


def test_presetting_a_secret(app: Flask) -> None:
    with unit_of_work():
        user = users.create(username="dave")
        tokens.create(user.id, raw="a-preset-secret-of-sufficient-length-1234")
    assert tokens.authenticate("a-preset-secret-of-sufficient-length-1234").username == "dave"


def test_a_calendar_token_opens_the_feed_and_nothing_else(alice: Person, app: Flask) -> None:
    made = alice.post("/api/v1/tokens", json={"name": "calendar", "scopes": ["calendar"]})
    assert (made.status_code, made.json["scopes"]) == (201, ["calendar"])
    browser, query = app.test_client(), f"?token={made.json['token']}"
    assert browser.get(f"/api/v1/calendar.ics{query}").status_code == 200
    for path in ("/recordings", "/users/me", "/tokens", "/stats", "/webhooks"):
        refused = browser.get(f"/api/v1{path}{query}")
        assert (refused.status_code, refused.json["code"]) == (403, "scope_missing")


def test_a_reader_may_make_a_calendar_token_and_others_may_not(
    make_person: Callable[..., Person],
) -> None:
    reader = make_person("reader", scopes=frozenset({Scope.READ, Scope.WRITE}))
    assert reader.post("/api/v1/tokens", json={"scopes": ["calendar"]}).status_code == 201
    assert reader.get("/api/v1/calendar.ics").status_code == 200
    other = make_person("other", scopes=frozenset({Scope.WRITE}))
    refused = other.post("/api/v1/tokens", json={"scopes": ["calendar"]})
    assert (refused.status_code, refused.json["code"]) == (403, "scope_missing")
    assert other.get("/api/v1/calendar.ics").status_code == 403
