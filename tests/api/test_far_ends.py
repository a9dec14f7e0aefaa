"""The earliest possible time, and names in alphabets that databases fold differently from Python."""

from __future__ import annotations

from dataclasses import replace

import pytest

from speakr.domain.permissions import Scope
from speakr.services.accounts import users
from tests.conftest import Person

EARLIEST = "0001-01-01T00:00:00Z"
PASSWORD = "long enough a password"


@pytest.fixture
def settings(settings):
    return replace(settings, webhook_allowed_hosts="127.0.0.1/32")


def test_all_since_the_earliest_time_is_all_there_is(alice: Person, upload) -> None:
    upload(alice)
    form = {
        "name": "n8n",
        "url": "http://127.0.0.1:8765/",
        "events": ["recording.created"],
        "allow_http": True,
    }
    hook = f"/api/v1/webhooks/{alice.post('/api/v1/webhooks', json=form).json['id']}"
    assert len(alice.get(f"/api/v1/events?since={EARLIEST}").json["events"]) == 1
    assert alice.get(f"{hook}/deliveries?since={EARLIEST}").json["deliveries"] == []
    assert alice.post(f"{hook}/recover", json={"since": EARLIEST}).json["recovered"] == 0


@pytest.mark.parametrize("name", ["Ænne", "ÉMILE", "Łucja", "İpek", "Σοφία"])
def test_a_name_is_like_itself(make_person, name: str) -> None:
    root = make_person("root", is_admin=True, scopes=frozenset(Scope))
    made = root.post("/api/v1/admin/users", json={"username": name, "password": PASSWORD})
    assert made.status_code == 201, made.json
    assert users.authenticate(name, PASSWORD).user_id == made.json["id"]
    other = root.post("/api/v1/admin/users", json={"username": "other", "password": PASSWORD}).json["id"]
    for answer in (
        root.patch(f"/api/v1/admin/users/{other}", json={"username": name}),
        root.post("/api/v1/admin/users", json={"username": name, "password": PASSWORD}),
    ):
        assert (answer.status_code, answer.json["code"]) == (409, "user_exists")
