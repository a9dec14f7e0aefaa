"""Requests to routes as different users, and checks of every response."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import pytest
from flask import Flask

from speakr.db import db
from speakr.domain.permissions import Scope
from speakr.settings import Settings
from speakr.web.access import Access, access_of
from tests.conftest import multipart, wav
from tests.fakes import MemoryJobNotifier
from tests.matrix.canaries import leaks
from tests.matrix.families import rows_of
from tests.matrix.meanings import build_with_meanings
from tests.matrix.policies import Case
from tests.matrix.routes import ROUTES
from tests.matrix.world import World
from tests.support.clips import run_inline
from tests.support.snapshots import Snapshot

_PARAMETER = re.compile(r"<(?:[a-z]+:)?([a-z_]+)>")


@dataclass(frozen=True)
class Call:
    """A route in one of its cases."""

    key: str
    case: Case

    @property
    def method(self) -> str:
        return self.key.partition(" ")[0]

    @property
    def rule(self) -> str:
        return self.key.partition(" ")[2]

    def __str__(self) -> str:
        return f"{self.key} ({self.case.name})" if self.case.name else self.key

    def parameters(self) -> list[str]:
        return _PARAMETER.findall(self.rule)

    def path(self, ids: Mapping[str, Any]) -> str:
        """Fill in the ids."""
        path = _PARAMETER.sub(lambda match: str(ids[self.case.ids.get(match[1], match[1])]), self.rule)
        return f"{path}?{self.case.query.format_map(ids)}" if self.case.query else path


CALLS = [Call(key, case) for key, cases in ROUTES.items() for case in cases]


@pytest.fixture
def settings(settings: Any) -> Any:
    return replace(
        settings,
        enable_folders=True,
        webhook_allowed_hosts="127.0.0.1/32",
        embedding_model="fake-1",
        smtp_url="smtp://127.0.0.1:1",
        mail_from="speakr@server.example",
    )


@pytest.fixture(scope="session")
def worlds() -> dict[str, tuple[World, Snapshot]]:
    """Worlds that were built already, by database."""
    return {}


@pytest.fixture
def rebuild(
    app: Flask, settings: Settings, worlds: dict[str, tuple[World, Snapshot]], notifier: MemoryJobNotifier
) -> Callable[[], World]:
    """Forget everything and start anew."""
    run_inline(notifier)

    def again() -> World:
        db.session.remove()
        if settings.database_url not in worlds:
            world = build_with_meanings()
            db.session.remove()
            worlds[settings.database_url] = world, Snapshot.take(settings.data_dir)
        world, snapshot = worlds[settings.database_url]
        snapshot.restore(settings.data_dir)
        return deepcopy(world)

    return again


@pytest.fixture
def world(rebuild: Callable[[], World]) -> World:
    return rebuild()


def access(app: Flask, call: Call) -> Access:
    """Return what a route declares."""
    rules = {
        (method, rule.rule): rule.endpoint
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
    }
    declared = access_of(rules[call.method, call.rule], call.method)
    assert declared is not None
    return declared


def needed(app: Flask, call: Call, role: str) -> tuple[Scope, ...]:
    """Return the scopes that a role's token needs: the declared one, and for a site admin that power."""
    scope = access(app, call).scope
    assert scope is not None
    return (scope, Scope.ADMIN) if role == "root" else (scope,)


def ask(app: Flask, call: Call, world: World, headers: Mapping[str, str], **more: Any) -> Any:
    """Send a request of a route about the owner's things."""
    ids = more.pop("ids", world.ids)
    sent: dict[str, Any] = {"headers": dict(headers)}
    if call.case.is_upload:
        sent["data"], sent["content_type"] = multipart(wav(0.1), "a.wav", {})
    elif call.case.body is not None:
        sent["json"] = call.case.body(ids)
    sent["headers"] |= call.case.headers
    if call.case.data is not None:
        sent["data"] = call.case.data
    path = more.pop("path", None) or call.path(ids)
    return app.test_client().open(path, method=more.pop("method", call.method), buffered=True, **sent)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def wrong_with(answer: Any, role: str) -> list[str]:
    """Return what no answer to this role may be: a crash, a leak, an error of another shape."""
    text = answer.get_data().decode("utf-8", "replace")
    found = [f"leaks {kind}" for kind in leaks(role, text + str(answer.headers))]
    if answer.status_code >= 500:
        found.append(f"status {answer.status_code}: {text[:200]}")
    if answer.status_code >= 400:
        rows = rows_of(answer.request.path)
        found += _wrong_shape(answer) if rows is None else rows.wrong_shape(answer)
    return found


def code_of(answer: Any) -> Any:
    """Return the code of a failure; None if the format of its family has none."""
    return answer.json["code"] if rows_of(answer.request.path) is None else None


def _wrong_shape(answer: Any) -> list[str]:
    body = answer.get_json(silent=True) if answer.mimetype == "application/json" else None
    if not isinstance(body, dict):
        return [f"no JSON object but {answer.mimetype}"]
    problems = [
        f"{name} is {body.get(name)!r}"
        for name in ("error", "code", "request_id")
        if not isinstance(body.get(name), str) or not body[name]
    ]
    if body.get("request_id") != answer.headers.get("X-Request-ID"):
        problems.append("another request_id than in the header")
    return problems
