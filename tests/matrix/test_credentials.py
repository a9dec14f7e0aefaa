"""Every route without a token, with a wrong one, and with one that may do other things."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from speakr.domain.permissions import Scope, missing
from tests.matrix.conftest import CALLS, access, ask, bearer, code_of, wrong_with
from tests.matrix.families import rows_of
from tests.matrix.world import World, everything_stored

pytestmark = pytest.mark.on_sqlite

CREDENTIALS: dict[str, tuple[Callable[[World], dict[str, str]], str]] = {
    "nothing": (lambda _: {}, "not_authenticated"),
    "garbage": (lambda _: bearer("nobody's token"), "invalid_token"),
    "no text at all": (lambda _: bearer(""), "invalid_token"),
    "bytes": (lambda _: bearer("\xff\xfe\x00".replace("\x00", "")), "invalid_token"),
    "garbage in X-API-Token": (lambda _: {"X-API-Token": "nobody's token"}, "invalid_token"),
    "garbage in API-Token": (lambda _: {"API-Token": "nobody's token"}, "invalid_token"),
    "expired": (lambda world: bearer(world.expired()), "expired_token"),
    "expired in X-API-Token": (lambda world: {"X-API-Token": world.expired()}, "expired_token"),
    "revoked": (lambda world: bearer(world.revoked()), "invalid_token"),
    "of a deactivated user": (lambda world: bearer(world.switched_off()), "invalid_token"),
    "wrong before right": (
        lambda world: {**bearer("nobody's token"), "X-API-Token": world.token("owner", *Scope)},
        "invalid_token",
    ),
    "right with another scheme": (
        lambda world: {"Authorization": f"Digest {world.token('owner', *Scope)}"},
        "not_authenticated",
    ),
}


@pytest.mark.parametrize("name", CREDENTIALS)
def test_a_bad_credential_opens_nothing(app: Flask, world: World, name: str) -> None:
    make, code = CREDENTIALS[name]
    headers = make(world)
    before = everything_stored(app)
    found: dict[str, object] = {}
    for call in CALLS:
        answer = ask(app, call, world, headers)
        problems = wrong_with(answer, "stranger")
        seen = (answer.status_code, code_of(answer), "WWW-Authenticate" in answer.headers)
        rows = rows_of(call.rule)
        expected = {(401, code, True), (401, None, True)}
        if rows is not None and rows.status_without_credential != 401 and code == "not_authenticated":
            expected = {(rows.status_without_credential, None, False)}
        if seen not in expected or problems:
            found[str(call)] = (seen, problems)
    assert found == {}
    assert everything_stored(app) == before


@pytest.mark.parametrize("scope", list(Scope))
@pytest.mark.parametrize("others", ["all but this", "this alone"])
def test_a_token_without_the_scope_opens_nothing(app: Flask, world: World, scope: Scope, others: str) -> None:
    scopes = [each for each in Scope if (each is scope) is (others == "this alone")]
    headers = bearer(world.token("owner", *scopes))
    calls = [call for call in CALLS if missing([access(app, call).scope], frozenset(scopes))]
    assert calls or Scope.READ in scopes  # it includes the scope of the calendar
    before = everything_stored(app)
    found: dict[str, object] = {}
    for call in calls:
        answer = ask(app, call, world, headers)
        problems = wrong_with(answer, "stranger")
        if (answer.status_code, code_of(answer)) not in {(403, "scope_missing"), (403, None)} or problems:
            found[str(call)] = (answer.status_code, answer.json, problems)
    assert found == {}
    assert everything_stored(app) == before


def test_a_token_in_the_address_is_for_reading_only(app: Flask, world: World) -> None:
    token = world.token("owner", *Scope)
    before = everything_stored(app)
    found = {}
    for call in CALLS:
        path = call.path(world.ids)
        answer = ask(app, call, world, {}, path=f"{path}{'&' if '?' in path else '?'}token={token}")
        rows = rows_of(call.rule)
        refusal = 401 if rows is None else rows.status_without_credential
        is_read = call.method == "GET" and (rows is None or rows.takes_token_in_address)
        expected = f"not {refusal}" if is_read else refusal
        seen = f"not {refusal}" if answer.status_code not in {refusal, 500} else answer.status_code
        if seen != expected:
            found[str(call)] = answer.status_code
        assert token.encode() not in answer.get_data() + str(answer.headers).encode(), call
    assert found == {}
    assert everything_stored(app) == before


def test_a_wrong_password_opens_nothing(app: Flask, world: World) -> None:
    calls = [call for call in CALLS if access(app, call).takes_password]
    assert calls
    for call in calls:
        for auth in (("alice", "wrong"), ("nobody", "wrong"), ("gregor", "")):
            answer = app.test_client().post(call.path(world.ids), auth=auth, json={})
            assert (answer.status_code, answer.json["code"]) == (401, "wrong_password"), answer.json
