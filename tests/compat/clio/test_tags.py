"""Clio's tags: the user's labels, as bare objects."""

from __future__ import annotations

from typing import Any

import pytest

from tests.compat.clio.conftest import API
from tests.conftest import Person


def create(person: Person, **values: Any) -> Any:
    return person.post(f"{API}/tags/", json=values)


def test_tags_are_created_listed_changed_and_deleted(alice: Person) -> None:
    made = create(alice, name="work")
    assert made.status_code == 201
    assert set(made.json) == {"id", "name", "color", "created_at"}
    assert made.json["color"] == "#3B82F6"
    create(alice, name="Meetings", color="#10B981")
    assert [tag["name"] for tag in alice.get(f"{API}/tags/").json] == ["Meetings", "work"]
    path = f"{API}/tags/{made.json['id']}/"
    assert alice.get(path).json == made.json
    assert alice.patch(path, json={"color": "#abcdef"}).json["color"] == "#abcdef"
    assert alice.put(path, json={"name": "jobs", "color": "#000000"}).json["name"] == "jobs"
    answer = alice.delete(path)
    assert (answer.status_code, answer.data) == (204, b"")
    assert alice.get(path).status_code == 404


def test_two_users_may_use_the_same_name_and_one_may_not_twice(alice: Person, bob: Person) -> None:
    assert create(alice, name="work").status_code == 201
    assert create(bob, name="work").status_code == 201
    again = create(alice, name="work")
    assert (again.status_code, list(again.json["errors"])) == (400, ["name"])


@pytest.mark.on_sqlite
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "n" * 51}, "name"),
        ({"name": 5}, "name"),
        ({"name": "x", "color": "red"}, "color"),
        ({"name": "x", "color": "#12345"}, "color"),
    ],
)
def test_wrong_fields_are_named(alice: Person, body: dict[str, Any], field: str) -> None:
    answer = create(alice, **body)
    assert (answer.status_code, answer.json["success"], list(answer.json["errors"])) == (400, False, [field])
