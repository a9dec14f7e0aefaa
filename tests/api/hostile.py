"""Invalid input: values that no field should accept, derived from the OpenAPI document, and malformed bodies."""

from __future__ import annotations

import copy
import itertools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Flask

from speakr.api.openapi import document
from tests.matrix.conftest import CALLS, Call, bearer, needed, wrong_with
from tests.matrix.families import rows_of
from tests.matrix.world import World

BEYOND_IDS = (-1, 0, 2**31, 2**63)
WRONG_DATES = (
    "",
    "soon",
    "2024-13-01",
    "2024-02-30T00:00:00Z",
    "2024-01-15T25:00:00Z",
    "0000-00-00T00:00:00Z",
    "99999-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "1705309200",
)
WRONG: Mapping[str, tuple[Any, ...]] = {
    "string": (1, True, [], {"a": "b"}),
    "integer": ("x", "", 1.5, 1e308, [1], {}, 10**30, "\u0661"),
    "number": ("x", "", [], {}),
    "boolean": ("true", 1, 0, [], {}),
    "array": ("x", 1, True, {"0": 1}),
    "object": ("x", 1, True, [], [{}]),
}
"""Declared type of a field -> wrong values."""

WRONG_WORDS: Mapping[str, tuple[str, ...]] = {
    "integer": ("x", "", "1.5", "-1", "0", "1e400", "nan", str(2**63), "9" * 5_000, "\x00", "1\x00"),
    "boolean": ("x", "", "2", "\x00"),
}
"""Declared type of a query parameter -> wrong texts."""

WRONG_IDS = (
    *("0", "-1", 2**31, 2**63, 10**30, "x", "1.0", "1e3", "%00", "%D9%A1", "1%00", "1%0d%0aX:%201", "..%2f1"),
    *("%ff", "'", "null", 2**31 - 1),  # the last could be one, but is not
)

ATTACK = "=1+1\r\nSet-Cookie: owned=1\r\n\r\n\x00\u202e\ufeff{{7*7}}{x.__class__}{0.__init__}%s%(a)s${7*7}<script>'\"; --"
"""Attacks on headers, databases, templates, spreadsheets and browsers in one string."""

LONG = "long " * 220_000

BROKEN_BODIES = (
    b"{",
    b'{"name": "x"',
    b"{'name': 1}",
    b"not json",
    b"\xff\xfe\x00",
    b'{"name": "\xed\xa0\x80"}',
    b'{"name": "\xc3\x28"}',
    rb'{"name": "\ud800"}',
    rb'{"\udfff": 1}',
    b'{"name": 1e400}',
    b'{"name": NaN}',
    b'{"name": -Infinity}',
    b'{"name": 01}',
    b'{"name": "\n"}',
    b'{"name": "a"} trailing',
    b"[" * 10_000,
    b"[" * 10_000 + b"]" * 10_000,
    b'{"name":' * 10_000 + b"1" + b"}" * 10_000,
)
"""Bodies that are not JSON, or not JSON that a server should parse."""

CONTENT_TYPES = (
    *("text/plain", "text/json", "multipart/form-data", "multipart/form-data; boundary=x", "application/xml"),
    *("application/x-www-form-urlencoded", "image/\xff", "a" * 5_000, "application/", "application/jsonx"),
)

NO_OBJECTS = (b"[]", b'["name"]', b"1", b'"name"', b"true", b"[[]]", b"1.5")
"""JSON, but no object."""


@dataclass(frozen=True)
class Place:
    """A field in a body or a query string, as documented."""

    path: tuple[str | int, ...]
    schema: Mapping[str, Any]

    @property
    def name(self) -> str:
        return ".".join(map(str, self.path))

    @property
    def kind(self) -> str | None:
        kind = self.schema.get("type")
        return next((one for one in kind if one != "null"), None) if isinstance(kind, list) else kind

    @property
    def is_date(self) -> bool:
        return self.schema.get("format") == "date-time"

    @property
    def may_be_null(self) -> bool:
        return bool(self.schema.get("nullable"))

    def wrong_values(self) -> Iterator[Any]:
        """Return values that this field must refuse in a body."""
        yield from WRONG.get(self.kind or "", ())
        if self.is_date:
            yield from WRONG_DATES
        if self.kind == "integer":
            least, most = self.schema.get("minimum"), self.schema.get("maximum")
            yield from (number for number in BEYOND_IDS if not _within(number, least, most))
        if self.kind == "string" and "enum" in self.schema:
            yield from ("", "no such word", ATTACK)
        if self.kind is not None and not self.may_be_null:
            yield None

    def wrong_words(self) -> Iterator[str]:
        """Return texts that this field must refuse in a query string."""
        yield from WRONG_WORDS.get(self.kind or "", ())
        name = str(self.path[0])
        if name.startswith("date_") or name.endswith("_since"):
            yield from WRONG_DATES[1:]
        if "enum" in self.schema:
            yield from ("", "x", ATTACK)
        if "pattern" in self.schema:
            yield from (
                word for word in ("", ATTACK, "1" * 2_000) if not re.search(self.schema["pattern"], word)
            )


def _within(number: int, least: int | None, most: int | None) -> bool:
    return (least is None or number >= least) and (most is None or number <= most)


def resolve(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Resolve a reference to a schema."""
    if "allOf" in schema:
        return {**resolve(document, schema["allOf"][0]), **schema}
    if "$ref" not in schema:
        return schema
    found: Any = document
    for part in schema["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return found


def places(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[Place]:
    """Return every field of a body, including those of nested objects and list items."""
    for name, inner in resolve(document, schema).get("properties", {}).items():
        found = resolve(document, inner)
        yield Place((name,), found)
        if "items" in found:
            yield Place((name, 0), resolve(document, found["items"]))
        yield from (Place((name, *deeper.path), deeper.schema) for deeper in places(document, found))


def put(body: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """Return a copy of a body with another value at a position."""
    made = copy.deepcopy(body) if isinstance(body, dict) else {}
    inside: Any = made
    for here, following in itertools.pairwise(path):
        if isinstance(following, int):
            inside[here] = [value]
            return made
        if not isinstance(inside.get(here), dict):
            inside[here] = {}
        inside = inside[here]
    inside[path[-1]] = value
    return made


# -- calling a route


TAKEN = [
    ("updateRecording", "meeting_date", ""),  # empties the field
    ("addTags", "tags", "x"),  # one name in place of a list
    ("updateCurrentUser", "preferences.time_zone", ""),  # the server's
]
"""Accepted by documentation although it looks wrong: operation, field, value."""

WAITS_FOR_WORKER = {
    f"POST /api/v1/recordings/<id:recording_id>/{rest}"
    for rest in ("retranscribe", "segments/<number:index>/retranscribe")
}
"""Routes that answer when a worker has done the work."""

_INNARDS = re.compile(
    r"Traceback|site-packages|/work/|/tmp/|\.py\b|SELECT |INSERT INTO|UPDATE [a-z_]+ SET"
    r"|sqlalchemy|psycopg|sqlite3|orjson|marshmallow|werkzeug|NoneType|object at 0x",
    re.IGNORECASE,
)
_MAX_REASON_LENGTH = 20_000


class HostileClient:
    """A caller with valid credentials who sends invalid requests to a route."""

    def __init__(self, app: Flask, world: World, call: Call) -> None:
        self.call = call
        self.role = next(role for role in ("owner", "lead", "root") if call.case.policy[role] == "yes")
        self.operation = _operation(app, call)
        self._app = app
        self._client = app.test_client()
        self._ids = world.ids
        self._headers = bearer(world.token(self.role, *needed(app, call, self.role)))
        self.body = call.case.body(world.ids) if call.case.body else {}
        self.query = dict(
            pair.split("=", 1) for pair in call.case.query.format_map(world.ids).split("&") if pair
        )

    def places(self) -> list[Place]:
        """Return the fields of the route's JSON body; none if it takes no body."""
        schema = self.operation.get("requestBody", {}).get("content", {}).get("application/json")
        return list(places(_description(self._app), schema["schema"])) if schema else []

    def questions(self) -> list[Place]:
        """Return the parameters of the route's query string."""
        found = [resolve(_description(self._app), one) for one in self.operation.get("parameters", ())]
        return [Place((one["name"],), one["schema"]) for one in found if one["in"] == "query"]

    def path(self, **others: Any) -> str:
        """Return the route's path, optionally with another value for one parameter."""
        known = {self.call.case.ids.get(name, name): value for name, value in others.items()}
        return self.call.path({**self._ids, **known}).partition("?")[0]

    def send(self, value: Any = None, **more: Any) -> Any:
        """Send a body: bytes unchanged, everything else as JSON."""
        headers = {**self._headers, **more.pop("headers", {})}
        if value is not None:
            # Not Flask's own encoder: the server's JSON refuses to write what it also refuses to read.
            more["data"] = value if isinstance(value, bytes) else json.dumps(value)
            more.setdefault("content_type", "application/json")
        path = more.pop("path", None) or self.path()
        return self._client.open(path, method=self.call.method, headers=headers, buffered=True, **more)

    def wrong_with(self, answer: Any) -> list[str]:
        """Return what is wrong with a response: a crash, a leak, another error shape, internals, an echo of a megabyte."""
        if answer.status_code == 503 and self.call.key in WAITS_FOR_WORKER:
            assert answer.json["code"] == "busy", answer.json  # no worker works here
            return []
        found = wrong_with(answer, self.role)
        if answer.status_code >= 400:
            text = answer.get_data(as_text=True)
            found += [f"shows {match[0]!r}" for match in [_INNARDS.search(text)] if match]
            found += [f"{len(text)} characters"] if len(text) > _MAX_REASON_LENGTH else []
        if "owned" in answer.headers.get("Set-Cookie", ""):
            found.append("a header was planted")
        return found

    def not_refused(self, answer: Any, name: str | int | None) -> list[str]:
        """Return why a response is not a proper refusal, because of a field if one is given."""
        found = self.wrong_with(answer)
        if not 400 <= answer.status_code < 500:
            found.append(f"status {answer.status_code}: {answer.get_data(as_text=True)[:100]}")
        elif name is not None and answer.status_code != 413:
            named = (answer.get_json(silent=True) or {}).get("errors", {})
            if str(name) not in {key.split(".")[0] for key in named}:
                found.append(f"names {sorted(named)}, status {answer.status_code}")
        return found


def _description(app: Flask) -> Mapping[str, Any]:
    """Return the OpenAPI document; it is the same for every app and slow to build."""
    if not _known:
        _known.update(document(app))
    return _known


_known: dict[str, Any] = {}


def _operation(app: Flask, call: Call) -> Mapping[str, Any]:
    path = re.sub(r"<(?:[a-z]+:)?([a-z_]+)>", r"{\1}", call.rule).removeprefix("/api/v1")
    return _description(app)["paths"][path][call.method.lower()]


def first_calls() -> Mapping[str, Call]:
    """Return one way to call every route of the native API that API tokens may call."""
    found: dict[str, Call] = {}
    for call in CALLS:
        if rows_of(call.rule) is None and "yes" in call.case.policy.values():
            found.setdefault(call.key, call)
    return found


def noun_of(call: Call) -> str:
    """Return the noun of a route."""
    return call.rule.removeprefix("/api/v1").split("/")[1]
