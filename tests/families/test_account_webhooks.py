"""Webhooks that users set with a preference which an API family declares."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from speakr.app import FAMILIES
from speakr.backends import Backends
from speakr.db import db, unit_of_work
from speakr.domain.permissions import Scope
from speakr.models import Delivery, Webhook
from speakr.settings import Settings
from speakr.web import families
from speakr.web.families import ApiFamily
from tests.conftest import Person
from tests.families.preferred import FAMILY, PREFERENCE
from tests.support.apps import BuiltApps

URL = "http://127.0.0.1:9000/toy"
ME = "/api/v1/users/me"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, webhook_allowed_hosts="127.0.0.1/32", rate_limits_enabled=False)


@pytest.fixture
def client(app: Flask, built_apps: BuiltApps, settings: Settings, backends: Backends) -> FlaskClient:
    return built_apps.of(settings, backends, (*FAMILIES, "tests.families.preferred:FAMILY")).test_client()


@pytest.fixture
def put(client: FlaskClient, alice: Person) -> Callable[..., Any]:
    """Set the preference as Alice; return the answer."""

    def set_to(url: Any, token: str = alice.token) -> Any:
        body = {"preferences": {PREFERENCE: url}}
        return client.patch(ME, json=body, headers={"Authorization": f"Bearer {token}"})

    return set_to


def hooks() -> list[Webhook]:
    db.session.rollback()  # else SQLite shows what it showed before
    return db.session.query(Webhook).filter(Webhook.preference.is_not(None)).all()


def bodies() -> list[Any]:
    db.session.rollback()
    return [json.loads(row.body) for row in db.session.query(Delivery).order_by(Delivery.id)]


def test_the_preference_is_the_address_of_one_webhook(put: Callable[..., Any], alice: Person) -> None:
    assert put(URL).json["preferences"][PREFERENCE] == URL
    assert put(f" {URL}2\n").json["preferences"][PREFERENCE] == f"{URL}2"
    (listed,) = alice.get("/api/v1/webhooks").json["webhooks"]
    assert (listed["url"], listed["preference"], listed["payload"]) == (f"{URL}2", PREFERENCE, "flat")
    assert listed["payload_keys"] == {"number": "id", "said": "text"}


@pytest.mark.parametrize("nothing", [None, "", "  "])
def test_clearing_the_preference_removes_the_webhook(put: Callable[..., Any], nothing: Any) -> None:
    put(URL)
    assert put(nothing).json["preferences"][PREFERENCE] is None
    assert hooks() == []
    assert put(nothing).status_code == 200


def test_deleting_the_webhook_clears_the_preference(
    put: Callable[..., Any], client: FlaskClient, alice: Person
) -> None:
    put(URL)
    assert alice.delete(f"/api/v1/webhooks/{hooks()[0].id}").status_code == 204
    shown = client.get(ME, headers={"Authorization": f"Bearer {alice.token}"}).json
    assert shown["preferences"][PREFERENCE] is None


def test_each_new_recording_is_sent_once(
    put: Callable[..., Any],
    alice: Person,
    bob: Person,
    upload: Callable[..., Any],
    work: Callable[[], None],
) -> None:
    put(URL)
    number = upload(alice, title="Stand-up").json["id"]
    assert bodies() == [], "there is no transcript yet"
    work()
    assert bodies() == [{"number": number, "said": "heard 0.1-0.4 heard 0.5-0.9"}]
    alice.put(f"/api/v1/recordings/{number}/transcript", json={"text": "Corrected."})
    assert alice.post(f"/api/v1/recordings/{number}/transcribe").status_code == 200
    upload(bob)
    work()
    assert len(bodies()) == 1


def test_it_does_not_depend_on_the_events_of_its_row(
    put: Callable[..., Any], alice: Person, upload: Callable[..., Any], work: Callable[[], None]
) -> None:
    put(URL)
    path = f"/api/v1/webhooks/{hooks()[0].id}"
    assert alice.patch(path, json={"events": ["recording.summary.completed"]}).status_code == 200
    upload(alice)
    work()
    assert len(bodies()) == 1


def test_it_does_not_count_towards_the_limit_of_webhooks(put: Callable[..., Any], alice: Person) -> None:
    other = {"name": "n", "url": URL, "allow_http": True, "events": ["recording.created"]}
    for _ in range(10):
        assert alice.post("/api/v1/webhooks", json=other).status_code == 201
    assert put(URL).status_code == 200
    assert alice.post("/api/v1/webhooks", json=other).json["code"] == "webhook_cap"


def test_setting_it_again_ends_a_pause(put: Callable[..., Any]) -> None:
    put(URL)
    with unit_of_work():
        hook = hooks()[0]
        hook.enabled, hook.auto_paused, hook.pause_reason = False, True, "failed"
    put(URL)
    db.session.expire_all()
    assert (hooks()[0].enabled, hooks()[0].auto_paused) == (True, False)


@pytest.mark.on_sqlite
@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://127.0.0.2:9000/", "invalid"),
        ("http://93.184.216.34/", "invalid"),
        ("https://169.254.169.254/", "address_refused"),
        ("https://10.0.0.1/", "address_refused"),
        ("ftp://93.184.216.34/", "invalid"),
        ("nonsense", "invalid"),
        ("https://93.184.216.34/" + "x" * 500, "invalid"),
        (5, "invalid"),
        (["https://93.184.216.34/"], "invalid"),
    ],
)
def test_an_address_is_checked_like_that_of_any_webhook(put: Callable[..., Any], url: Any, code: str) -> None:
    answer = put(url)
    assert answer.status_code == 400
    assert list(answer.json["errors"]) == [f"preferences.{PREFERENCE}"], answer.json
    assert hooks() == []


@pytest.mark.on_sqlite
def test_it_needs_the_scope_of_webhooks(
    put: Callable[..., Any], client: FlaskClient, alice: Person, make_person: Callable[..., Person]
) -> None:
    put(URL)
    writer = make_person("writer", scopes=frozenset({Scope.READ, Scope.WRITE}))
    answer = put(URL, writer.token)
    assert (answer.status_code, answer.json["code"]) == (403, "scope_missing")
    assert [hook.user_id for hook in hooks()] == [alice.id]
    shown = client.get(ME, headers={"Authorization": f"Bearer {writer.token}"}).json["preferences"]
    assert PREFERENCE not in shown
    assert put(None, writer.token).status_code == 403


@pytest.mark.on_sqlite
def test_the_native_document_describes_the_preference(client: FlaskClient) -> None:
    schemas = client.get("/api/v1/openapi.json").json["components"]["schemas"]
    for shape in ("PreferencesIn", "PreferencesOut"):
        assert schemas[shape]["properties"][PREFERENCE]["nullable"] is True
        assert PREFERENCE not in schemas[shape].get("required", ())


@pytest.mark.on_sqlite
def test_without_the_family_the_preference_is_unknown(alice: Person) -> None:
    answer = alice.patch(ME, json={"preferences": {PREFERENCE: URL}})
    assert answer.status_code == 200
    assert PREFERENCE not in answer.json["preferences"]
    assert hooks() == []


@pytest.mark.on_sqlite
def test_two_families_cannot_share_a_preference(settings: Settings) -> None:
    other: ApiFamily = replace(FAMILY, name="other", prefix="/other", blueprints=())
    with pytest.raises(ValueError, match="same preference"):
        families.init_app(Flask("declared"), [FAMILY, other], settings)
