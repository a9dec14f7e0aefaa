"""Every route as an unrelated user, site admin, recipient of a share, member of a group, and owner."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from tests.matrix.canaries import canary, leaks
from tests.matrix.conftest import CALLS, Call, ask, bearer, needed, wrong_with
from tests.matrix.families import FAMILY_ROWS
from tests.matrix.policies import ANYBODY
from tests.matrix.routes import PUBLIC, ROUTES
from tests.matrix.world import ROLES, World, everything_stored


def test_no_route_is_forgotten(app: Flask) -> None:
    """A new route needs a line in routes.py that says how it is called and who may call it."""
    known = {
        f"{method} {rule.rule}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    elsewhere = {route for rows in FAMILY_ROWS for route in rows.elsewhere}
    assert known - PUBLIC - set(ROUTES) - elsewhere == set()
    assert (PUBLIC | set(ROUTES) | elsewhere) - known == set()


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_who_may(app: Flask, world: World, rebuild: Callable[[], World], call: Call) -> None:
    refused = [role for role in ROLES if call.case.policy[role] != "yes"]
    allowed = [role for role in ROLES if call.case.policy[role] == "yes"]
    outcomes: dict[str, Any] = {}
    before = everything_stored(app) if refused else {}
    problems: dict[str, list[str]] = {}
    for role in refused:
        answer = _as(app, world, call, role)
        outcomes[role] = answer.status_code
        problems[role] = wrong_with(answer, role)
        if call.method == "GET":
            head = _as(app, world, call, role, method="HEAD")
            assert (head.status_code, head.data) == (answer.status_code, b"")
    if refused:
        after = everything_stored(app)
        del before["api_tokens"], after["api_tokens"]  # the tokens of the callers
        assert after == before
    is_used = False
    for role in allowed:
        if is_used:
            world = rebuild()
        answer = _as(app, world, call, role)
        outcomes[role] = "yes" if answer.status_code < 300 else answer.status_code
        problems[role] = wrong_with(answer, role)
        if role == "owner":
            text = answer.get_data().decode("utf-8", "replace")
            assert [kind for kind in call.case.shows if canary(kind) not in text] == []
        is_used = call.method != "GET" and call.case.policy is not ANYBODY
    assert outcomes == dict(call.case.policy), str(call)
    assert {role: found for role, found in problems.items() if found} == {}


def _as(app: Flask, world: World, call: Call, role: str, **more: Any) -> Any:
    return ask(app, call, world, bearer(world.token(role, *needed(app, call, role))), **more)


@pytest.mark.parametrize("key", sorted(PUBLIC))
def test_public_routes_show_no_user_data(app: Flask, world: World, key: str) -> None:
    method, _, path = key.replace("<path:path>", "swagger-ui.css").partition(" ")
    answer = app.test_client().open(path, method=method, buffered=True)
    # No dispatcher reports here, and no code of a verification is sent.
    expected = 503 if path == "/readyz" else 404 if path == "/api/v1/email/verify" else 200
    assert answer.status_code == expected
    assert leaks("stranger", answer.get_data(as_text=True)) == []
