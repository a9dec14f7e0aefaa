"""Every list of the API is paged or has a documented maximum, and every noun a cap per owner."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from speakr.api.openapi import document
from speakr.db import db, unit_of_work
from speakr.domain.caps import CAPS, Noun
from speakr.domain.errors import NotAuthenticated
from speakr.domain.paging import MAX_ITEMS
from speakr.domain.permissions import DEFAULT_SCOPES, Scope
from speakr.models import Folder, Speaker, Tag
from speakr.services.accounts import sessions, users
from tests.conftest import Person

HAS_PAGES = {"per_page", "limit"}
"""Query parameters that bound the answer of a paged list."""


def arrays(schema: dict[str, Any], spec: dict[str, Any], path: str = "") -> Iterator[tuple[str, int | None]]:
    """Yield the path and the maximum length of each array in a schema, however deep."""
    if "$ref" in schema:
        schema = spec["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    for several in ("allOf", "oneOf", "anyOf"):
        for inner in schema.get(several, ()):
            yield from arrays(inner, spec, path)
    if schema.get("type") == "array":
        yield path, schema.get("maxItems")
        yield from arrays(schema["items"], spec, f"{path}[]")
    more = schema.get("additionalProperties")
    inside = {**schema.get("properties", {}), **({"*": more} if isinstance(more, dict) else {})}
    for name, inner in inside.items():
        yield from arrays(inner, spec, f"{path}.{name}")


def answers(spec: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Yield path, operation and schema of every JSON answer to a GET."""
    for path, item in spec["paths"].items():
        for status, response in item.get("get", {}).get("responses", {}).items():
            content = response.get("content", {}).get("application/json")
            if status.startswith("2") and content:
                yield path, item["get"], content["schema"]


@pytest.mark.on_sqlite
def test_every_list_of_a_get_route_is_paged_or_has_a_documented_maximum(app: Flask) -> None:
    spec = document(app)
    unbounded = []
    for path, operation, schema in answers(spec):
        queries = {each.get("name") for each in operation.get("parameters", ())}
        for place, most in arrays(schema, spec):
            is_page = not place and bool(HAS_PAGES & queries)
            if most is None and not is_page:
                unbounded.append(f"{path} {place or '(the answer)'}")
    assert not unbounded


@pytest.mark.on_sqlite
def test_the_check_of_lists_finds_an_unbounded_one(app: Flask) -> None:
    spec = {"components": {"schemas": {"Out": {"properties": {"tags": {"type": "array", "items": {}}}}}}}
    assert list(arrays({"$ref": "#/components/schemas/Out"}, spec)) == [(".tags", None)]
    assert len(list(answers(document(app)))) > 30


@pytest.fixture
def admin(make_person: Callable[..., Person]) -> Person:
    return make_person("root", is_admin=True, scopes=DEFAULT_SCOPES | {Scope.ADMIN})


def make_rows(kind: type[Tag | Folder | Speaker], person: Person, count: int) -> None:
    with unit_of_work():
        db.session.add_all(kind(user_id=person.id, name=f"n{number:04}") for number in range(count))


PAGED = [(Tag, "tags", "/api/v1/tags"), (Speaker, "speakers", "/api/v1/speakers")]


@pytest.mark.parametrize(("kind", "name", "path"), PAGED)
def test_long_lists_come_in_pages_of_a_thousand(kind: Any, name: str, path: str, alice: Person) -> None:
    make_rows(kind, alice, MAX_ITEMS + 5)
    first = alice.get(path)
    assert len(first.json[name]) == MAX_ITEMS
    assert first.json["pagination"] == {
        "page": 1,
        "per_page": MAX_ITEMS,
        "total": MAX_ITEMS + 5,
        "total_pages": 2,
        "has_next": True,
        "has_prev": False,
    }
    assert f'{path}?page=2>; rel="next"' in first.headers["Link"]
    second = alice.get(f"{path}?page=2")
    ids = {each["id"] for each in [*first.json[name], *second.json[name]]}
    assert len(ids) == MAX_ITEMS + 5
    assert alice.get(f"{path}?page=3").json[name] == []
    assert alice.get(f"{path}?page=3").json["pagination"]["total"] == MAX_ITEMS + 5
    assert len(alice.get(f"{path}?per_page=5000").json[name]) == MAX_ITEMS
    assert alice.get(f"{path}?per_page=0").status_code == 400


def test_the_bare_list_of_folders_has_its_total_in_a_header(alice: Person, admin: Person) -> None:
    admin.patch("/api/v1/admin/settings", json={"enable_folders": True})
    make_rows(Folder, alice, 3)
    page = alice.get("/api/v1/folders?per_page=2")
    assert [each["name"] for each in page.json] == ["n0000", "n0001"]
    assert page.headers["X-Total-Count"] == "3"
    assert 'page=2>; rel="next"' in page.headers["Link"]
    assert [each["name"] for each in alice.get("/api/v1/folders?per_page=2&page=2").json] == ["n0002"]


@pytest.mark.parametrize(
    ("noun", "path", "body"),
    [
        (Noun.TAGS, "/api/v1/tags", {"name": "one more"}),
        (Noun.SPEAKERS, "/api/v1/speakers", {"name": "One More"}),
    ],
)
def test_no_more_than_the_cap_can_be_created(
    noun: Noun, path: str, body: dict[str, Any], alice: Person, bob: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CAPS, noun, 2)
    for name in ("a", "b"):
        assert alice.post(path, json={"name": name}).status_code == 201
    refused = alice.post(path, json=body)
    assert (refused.status_code, refused.json["code"]) == (409, "cap_reached")
    assert (refused.json["noun"], refused.json["limit"]) == (noun.value, 2)
    assert bob.post(path, json=body).status_code == 201


def test_a_recording_takes_no_more_tags_than_the_cap(
    alice: Person, upload: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CAPS, Noun.RECORDING_TAGS, 2)
    full, empty = (upload(alice).json["id"] for _ in range(2))
    tags = [alice.post("/api/v1/tags", json={"name": name}).json["id"] for name in "abc"]
    assert alice.post(f"/api/v1/recordings/{full}/tags", json={"tag_ids": tags[:2]}).status_code == 200
    again = alice.post(f"/api/v1/recordings/{full}/tags", json={"tag_ids": tags[:2]})
    assert again.status_code == 200
    refused = alice.post(f"/api/v1/recordings/{full}/tags", json={"tag_ids": [tags[2]]})
    assert (refused.status_code, refused.json["code"]) == (409, "cap_reached")
    body = {"recording_ids": [full, empty], "updates": {"add_tag_ids": [tags[2]]}}
    results = alice.patch("/api/v1/recordings/batch", json=body).json["results"]
    assert [each["success"] for each in results] == [False, True]
    assert len(alice.get(f"/api/v1/recordings/{full}").json["tags"]) == 2


def test_groups_and_their_members_are_capped(
    alice: Person, bob: Person, admin: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CAPS, Noun.GROUPS, 1)
    group = admin.post("/api/v1/groups", json={"name": "first"}).json["id"]
    second = admin.post("/api/v1/groups", json={"name": "second"})
    assert (second.status_code, second.json["noun"]) == (409, "groups")
    monkeypatch.setitem(CAPS, Noun.MEMBERS, 2)
    members = f"/api/v1/groups/{group}/members"
    assert admin.post(members, json={"user_id": alice.id}).status_code == 201
    refused = admin.post(members, json={"user_id": bob.id})
    assert (refused.status_code, refused.json["noun"]) == (409, "members of a group")
    assert admin.get(f"{members}?per_page=1").json["pagination"]["total"] == 2


def test_one_login_more_than_the_cap_ends_the_oldest_session(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CAPS, Noun.SESSIONS, 2)
    with app.app_context():
        with unit_of_work():
            user = users.create(username="nora", password="a long password")
        secrets = []
        for _ in range(3):
            with unit_of_work():
                secrets.append(
                    sessions.start_with_secret(user.id, user.password_hash or "", "native", timedelta(days=1))
                )
        with pytest.raises(NotAuthenticated):
            sessions.by_secret(secrets[0], "native")
        assert [sessions.by_secret(each, "native").user_id for each in secrets[1:]] == [user.id] * 2


def test_scopes_of_tokens_stay_listed_in_pages(alice: Person) -> None:
    for _ in range(2):
        assert alice.post("/api/v1/tokens", json={}).status_code == 201
    page = alice.get("/api/v1/tokens?per_page=1").json
    assert (len(page["tokens"]), page["pagination"]["total"]) == (1, 3)
    assert set(page["tokens"][0]["scopes"]) == {scope.value for scope in DEFAULT_SCOPES - {Scope.ADMIN}}
