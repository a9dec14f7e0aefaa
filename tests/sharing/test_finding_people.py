"""Finding users to share with."""

from __future__ import annotations

from flask import Flask

from speakr.db import unit_of_work
from speakr.models import (
    User,
)
from speakr.services.accounts import users
from speakr.services.system import system_settings
from tests.conftest import Person


def test_finding_people(alice: Person, bob: Person, make_person) -> None:
    robert = make_person("ROBert")
    gone = make_person("bobby")
    with unit_of_work() as session:
        session.get_one(User, gone.id).is_active = False
        session.get_one(User, alice.id).name = "Bobbina"
    found = alice.get("/api/v1/users?query=ob")
    assert found.json == {
        "users": [
            {"id": bob.id, "username": "bob", "name": None},
            {"id": robert.id, "username": "ROBert", "name": None},
        ]
    }
    assert [user["id"] for user in bob.get("/api/v1/users?query=BOBBINA").json["users"]] == [alice.id]
    assert alice.get("/api/v1/users?query=%25%25").json == {"users": []}
    for query in ("", "?query=", "?query=b", "?query=%20b%20"):
        assert "query" in alice.get(f"/api/v1/users{query}").json["errors"]


def test_at_most_twenty_are_found(app: Flask, alice: Person) -> None:
    with unit_of_work():
        for number in range(25):
            users.create(username=f"person{number:02}")
    assert len(alice.get("/api/v1/users?query=person").json["users"]) == 20


def test_no_names_are_found_while_sharing_is_off(alice: Person, bob: Person) -> None:
    with unit_of_work():
        system_settings.put("enable_internal_sharing", value=False)
    refused = alice.get("/api/v1/users?query=bob")
    assert (refused.status_code, refused.json["code"]) == (403, "sharing_disabled")
    assert bob.name not in refused.text
