"""Objects of an unrelated user that refer to another user's: in a path of two ids, in a body, in a list of ids."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from flask import Flask

from speakr.domain.permissions import Scope
from tests.matrix.canaries import PRIVATE, canary, leaks
from tests.matrix.conftest import CALLS, Call, ask, bearer, wrong_with
from tests.matrix.policies import ANYBODY, EACH, SITE_ADMIN, Case
from tests.matrix.world import World, everything_stored

_V1 = "/api/v1"
_MINE = f"{_V1}/recordings/{{recording_id}}"

TWO_IDS = [
    call
    for call in CALLS
    if len(call.parameters()) == 2
    and not call.case.ids
    and call.case.policy is not ANYBODY
    and "<number:" not in call.rule  # a position in a transcript has no owner
]


@pytest.mark.parametrize("call", TWO_IDS, ids=str)
@pytest.mark.parametrize("whose", ["the first is mine", "the second is mine"])
def test_a_path_with_an_id_of_mine_and_one_of_others(
    app: Flask, world: World, call: Call, whose: str
) -> None:
    first, second = call.parameters()
    mine = {"the first is mine": first, "the second is mine": second}[whose]
    ids = {**world.ids, mine: world.own[mine]}
    headers = bearer(world.token("stranger", *DEFAULT))
    before = everything_stored(app)
    answer = ask(app, call, world, headers, ids=ids)
    assert answer.status_code == 404, answer.json
    assert wrong_with(answer, "stranger") == []
    assert everything_stored(app) == before


DEFAULT = tuple(scope for scope in Scope if scope is not Scope.ADMIN)

Body = Callable[[Mapping[str, Any]], dict[str, Any]]
REFERENCES: list[tuple[str, str, Body, int]] = [
    ("PATCH", _MINE, lambda ids: {"folder_id": ids["folder_id"]}, 404),
    ("PATCH", _MINE, lambda ids: {"folder_id": ids["group_folder_id"]}, 404),
    ("GET", f"{_MINE}/export?template_id={{their_template_id}}", lambda _: {}, 404),
    *(
        ("PATCH", f"{_V1}/recordings/batch", updates, 404)
        for updates in (
            lambda ids: _batch(ids, folder_id=ids["folder_id"]),
            lambda ids: _batch(ids, folder_id=ids["group_folder_id"]),
        )
    ),
    ("POST", f"{_V1}/speakers/{{speaker_id}}/merge", lambda ids: {"into_id": ids["speaker_id"]}, 404),
    # 403 as documented; the same for a group that does not exist (below).
    ("POST", f"{_V1}/tags", lambda ids: {"name": "x", "group_id": ids["group_id"]}, 403),
    ("POST", f"{_V1}/folders", lambda ids: {"name": "x", "group_id": ids["group_id"]}, 403),
    ("PATCH", f"{_V1}/folders/{{folder_id}}", lambda ids: {"group_id": ids["group_id"]}, 403),
    *(
        (method, path, lambda ids, kind=kind: {"name": "x", f"{kind}_template_id": ids["template_id"]}, 404)
        for kind in ("naming", "export")
        for method, path in (
            ("POST", f"{_V1}/tags"),
            ("PUT", f"{_V1}/tags/{{tag_id}}"),
            ("POST", f"{_V1}/folders"),
            ("PATCH", f"{_V1}/folders/{{folder_id}}"),
        )
    ),
]


def _batch(ids: Mapping[str, Any], **updates: Any) -> dict[str, Any]:
    return {"recording_ids": [ids["own_recording_id"]], "updates": updates}


def _send(app: Flask, world: World, method: str, path: str, body: Body, ids: Mapping[str, Any]) -> Any:
    ids = {**ids, "own_recording_id": world.own["recording_id"]}
    filled = path.format_map({**world.own, "their_template_id": ids["template_id"]})
    sent = {} if method == "GET" else {"json": body(ids)}
    headers = bearer(world.token("stranger", *DEFAULT))
    return app.test_client().open(filled, method=method, headers=headers, **sent)


@pytest.mark.parametrize(("method", "path", "body", "status"), REFERENCES)
def test_a_body_that_names_objects_of_another_user(
    app: Flask, world: World, method: str, path: str, body: Body, status: int
) -> None:
    """The answer is the same as for an id that does not exist."""
    missing = dict.fromkeys(world.ids, 2000000000)
    world.token("stranger", *DEFAULT)
    before = everything_stored(app)
    answers = [_send(app, world, method, path, body, ids) for ids in (world.ids, missing)]
    for answer in answers:
        assert answer.status_code == status, answer.json
        assert wrong_with(answer, "stranger") == []
    bodies = [_without_ids(answer.json) for answer in answers]
    assert bodies[0] == bodies[1]
    assert everything_stored(app) == before


def _without_ids(body: Mapping[str, Any]) -> dict[str, str]:
    return {
        "code": body["code"],
        "error": "".join(each for each in body["error"] if not each.isdigit()),
    }


def test_tags_of_others_are_never_put_on(app: Flask, world: World) -> None:
    """Unknown tags are reported or ignored, as documented; tags of other users are unknown."""
    own = world.own["recording_id"]
    theirs = [world.ids["tag_id"], world.ids["group_tag_id"]]
    client, headers = app.test_client(), bearer(world.token("stranger", *DEFAULT))
    answer = client.post(f"{_V1}/recordings/{own}/tags", json={"tag_ids": theirs}, headers=headers)
    assert answer.json == {
        "success": True,
        "added_tags": [],
        "errors": [f"Tag {tag_id} not found" for tag_id in theirs],
    }
    named = {"tags": [canary("tag"), canary("grouptag")]}
    answer = client.post(f"{_V1}/recordings/{own}/tags", json=named, headers=headers)
    assert answer.json["added_tags"] == []
    updates = {"recording_ids": [own], "updates": {"add_tag_ids": theirs}}
    assert client.patch(f"{_V1}/recordings/batch", json=updates, headers=headers).json["updated"] == 1
    tags = client.get(f"{_V1}/recordings/{own}", headers=headers).json["tags"]
    assert [tag["name"] for tag in tags] == ["mallory's tag"]


@pytest.mark.parametrize("call", [call for call in CALLS if call.case.policy is EACH], ids=str)
@pytest.mark.parametrize("role", ["stranger", "viewer", "member"])
def test_batches_leave_objects_of_another_user(app: Flask, world: World, call: Call, role: str) -> None:
    missing, theirs = 2_000_000_000, world.ids["other_recording_id"]
    shown = world.ids["recording_id"]

    def body(ids: Mapping[str, Any]) -> Any:
        return {**call.case.body(ids), "recording_ids": [missing, theirs, shown]}

    headers = bearer(world.token(role, *DEFAULT))
    before = everything_stored(app)
    answer = ask(app, Call(call.key, Case(EACH, body)), world, headers)
    of_the_shown = "Not found" if role == "stranger" else "Permission denied"
    assert answer.json["failed"] == 3
    assert answer.json["results"] == [
        {"id": missing, "success": False, "error": "Not found"},
        {"id": theirs, "success": False, "error": "Not found"},
        {"id": shown, "success": False, "error": of_the_shown},
    ]
    assert everything_stored(app) == before


def test_a_site_admin_may_only_delete_objects_of_another_user(app: Flask, world: World) -> None:
    """The one documented exception: deletion in a batch. Site admins may not change recordings or play them."""
    number = world.ids["recording_id"]
    client, headers = app.test_client(), bearer(world.token("root", *Scope))
    batch = f"{_V1}/recordings/batch"
    body = {"recording_ids": [number], "updates": {"is_inbox": False}}
    assert client.patch(batch, json=body, headers=headers).json["updated"] == 0
    assert client.post(f"{batch}/transcribe", json=body, headers=headers).json["queued"] == 0
    without_the_scope = bearer(world.token("root", *DEFAULT))
    assert client.delete(batch, json=body, headers=without_the_scope).json["deleted"] == 0
    assert client.delete(batch, json=body, headers=headers).json["deleted"] == 1


@pytest.mark.parametrize("role", ["stranger", "root", "viewer", "editor", "member", "lead"])
def test_a_search_does_not_answer_what_may_not_be_read(app: Flask, world: World, role: str) -> None:
    """The number of matches would reveal as much as the text."""
    client, headers = app.test_client(), bearer(world.token(role, Scope.READ))
    found = {}
    for kind in sorted(PRIVATE):
        answer = client.get(f"{_V1}/search?q={canary(kind)}", headers=headers)
        assert answer.status_code == 200, answer.json
        listed = client.get(f"{_V1}/recordings?q={canary(kind)}", headers=headers)
        totals = (answer.json["pagination"]["total"], listed.json["pagination"]["total"])
        if totals != (0, 0):
            found[kind] = totals
    assert found == {}
    ids = world.ids
    for narrow in (
        f"tag_id={ids['tag_id']}",
        f"tag={canary('tag')}",
        f"folder_id={ids['folder_id']}",
        "field=notes",
    ):
        answer = client.get(f"{_V1}/search?q=quarterly&{narrow}", headers=headers)
        of_others = [
            result
            for result in answer.json["results"]
            if result["recording"]["id"] != world.own["recording_id"]
        ]
        assert of_others == [], narrow
        assert leaks(role, answer.get_data(as_text=True)) == []


def test_the_owner_finds_all_of_it(app: Flask, world: World) -> None:
    """So that the test above looks for what could be found."""
    client, headers = app.test_client(), bearer(world.token("owner", Scope.READ))
    for kind in ("othersaid", "othersummary", "othertitle", "othernotes"):
        answer = client.get(f"{_V1}/search?q={canary(kind)}", headers=headers)
        assert answer.json["pagination"]["total"] == 1, kind


def test_site_admin_is_a_policy_of_its_own() -> None:
    """Policies of site admins are separate from those of other users; see `policies.py`."""
    assert {call.case.policy["root"] for call in CALLS if "/admin/" in call.rule} == {"yes"}
    assert all(call.case.policy == SITE_ADMIN for call in CALLS if "/admin/" in call.rule)
