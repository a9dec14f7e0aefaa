"""Recorded exchanges of API families: real requests to a real server, kept as pages that people read.

Each family's tests have a module `exchanges` with `EXCHANGES` and `prepare(server)`, and `SETTINGS` if its server needs
some. `python -m tests.compat.exchanges NAME` writes `docs/compat/exchanges/NAME.md`; `test_exchanges.py` compares.
"""

from __future__ import annotations

import http.client
import json
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from speakr.app import FAMILIES
from tests.intake.server import ALICE, BOB, TIMEOUT_SECONDS, IntakeServer, wait_for
from tests.matrix.families import module_of, package_of

PAGES = Path(__file__).resolve().parents[2] / "docs" / "compat" / "exchanges"
BEARER: Mapping[str, str] = {"Authorization": "Bearer {token}"}
MAX_TEXT_LINES = 40

_REQUEST_HEADERS = ("Authorization", "X-API-Key", "Cookie", "X-CSRF-Token", "Origin", "Range", "Content-Type")
_ANSWER_HEADERS = (
    "Content-Type", "Location", "Link", "Allow", "Retry-After", "WWW-Authenticate", "Set-Cookie",
    "Content-Range", "Accept-Ranges", "Content-Disposition", "Access-Control-Allow-Origin",
)  # fmt: skip
_STABLE: Sequence[tuple[str, str]] = (
    (r"\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?", "2026-11-30T09:00:00"),
    (r"\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (-| )?\w{3}(-| )20\d\d \d\d:\d\d:\d\d GMT", "Mon, 30 Nov 2026 09:00:00 GMT"),
    (r"\beyJ[\w-]+\.[\w-]+\.[\w-]+", "JWT"),
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "UUID"),
    (r"\b[0-9a-f]{32,64}\b", "HEX"),
    (r"\b(127\.0\.0\.1|localhost):\d+", "speakr.example"),
)  # fmt: skip
"""Pattern of what differs on each run -> what the page shows."""

_EXCHANGE = re.compile(r"^```http\n(.*?)^```\n\n```http\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One request. `{name}` in path, headers and values stands for what was prepared, or kept from an earlier answer."""

    title: str
    """The heading on the page: what a client asks for."""
    path: str
    """With the prefix and the query."""
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=lambda: BEARER)
    json: Any = None
    form: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Path] = field(default_factory=dict)
    """Field -> file, which is sent as `multipart/form-data` with the form."""
    keeps: Mapping[str, str] = field(default_factory=dict)
    """Name -> key of the answer's JSON, such as `data.id`, for later requests."""
    masks: Mapping[str, Any] = field(default_factory=dict)
    """Key of the answer's JSON, at any depth -> the value that the page shows, for what differs on each run."""


@dataclass(frozen=True)
class Recorded:
    """What a test compares: request line, status, media type, and the keys of the JSON body as paths."""

    request: str
    status: int
    media_type: str
    keys: frozenset[str]


def families() -> list[str]:
    """Return the families besides the native one."""
    return [path for path in FAMILIES if not path.startswith("speakr.api.")]


@contextmanager
def running(source: Any, folder: Path) -> Iterator[tuple[IntakeServer, dict[str, str]]]:
    """Start a server with a worker for a family's module `exchanges`; yield it with what the family prepared."""
    with IntakeServer(folder, **getattr(source, "SETTINGS", {})) as server:
        server.start_worker()
        yield server, {"token": ALICE, "other_token": BOB, **source.prepare(server)}


def play(server: IntakeServer, source: Any, known: dict[str, str]) -> list[tuple[Exchange, str, str]]:
    """Send all requests of a family in order; return each with both messages as the page shows them."""
    return [(each, *_exchange(server, each, known)) for each in source.EXCHANGES]


def page_name(path: str) -> str:
    """Return the name of a family's pages: that of its package, with hyphens."""
    return package_of(path).replace("_", "-")


def page(name: str, played: Sequence[tuple[Exchange, str, str]]) -> str:
    """Return the page of a family."""
    parts = [
        f"# Exchanges: {name}\n",
        (
            "Recorded between a client and a running server. Credentials, times and random ids are replaced.\n"
            f"[Moving over](../{name}.md) explains the API.\n"
        ),
    ]
    for exchange, sent, answered in played:
        parts.append(f"## {exchange.title}\n\n```http\n{sent}\n```\n\n```http\n{answered}\n```\n")
    return "\n".join(parts)


def recorded(text: str) -> list[Recorded]:
    """Read the exchanges of a page."""
    return [_recorded(sent, answered) for sent, answered in _EXCHANGE.findall(text)]


def _recorded(sent: str, answered: str) -> Recorded:
    head, _, body = answered.partition("\n\n")
    status = int(head.split()[1])
    media_type = re.search(r"^Content-Type: ([^;\n]*)", head, re.MULTILINE)
    kind = media_type[1] if media_type else ""
    keys = frozenset(_keys(json.loads(body))) if kind.endswith("json") and body.strip() else frozenset()
    return Recorded(sent.splitlines()[0], status, kind, keys)


def _keys(value: Any, place: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield f"{place}.{key}"
            yield from _keys(inner, f"{place}.{key}")
    elif isinstance(value, list):
        yield f"{place}[]"
        for inner in value:
            yield from _keys(inner, f"{place}[]")


def _exchange(server: IntakeServer, exchange: Exchange, known: dict[str, str]) -> tuple[str, str]:
    files = {name: (file.name, file.read_bytes()) for name, file in exchange.files.items()}
    asked = requests.Request(
        exchange.method,
        f"http://127.0.0.1:{server.port}{exchange.path.format_map(known)}",
        headers={name: value.format_map(known) for name, value in exchange.headers.items()},
        json=_filled(exchange.json, known),
        data={name: value.format_map(known) for name, value in exchange.form.items()},
        files=files,
    ).prepare()
    with requests.Session() as session:
        session.trust_env = False
        answer = session.send(asked, timeout=TIMEOUT_SECONDS, allow_redirects=False)
    shown = _request(exchange, asked, known), _answer(exchange, answer, known)
    for name, keys in exchange.keeps.items():
        value = answer.json()
        for key in keys.split("."):
            value = value[int(key)] if isinstance(value, list) else value[key]
        known[name] = str(value)
    return shown


def _filled(value: Any, known: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return value.format_map(known)
    if isinstance(value, dict):
        return {key: _filled(inner, known) for key, inner in value.items()}
    return [_filled(inner, known) for inner in value] if isinstance(value, list) else value


def _request(exchange: Exchange, asked: requests.PreparedRequest, known: Mapping[str, str]) -> str:
    lines = [f"{asked.method} {asked.path_url} HTTP/1.1"]
    lines += [f"{name}: {asked.headers[name]}" for name in _REQUEST_HEADERS if name in asked.headers]
    if exchange.files:
        lines = [re.sub(r"boundary=\w+", "boundary=BOUNDARY", line) for line in lines]
        parts = [f"{name}: {value}" for name, value in exchange.form.items()]
        parts += [
            f"{name}: <{file.name}, {file.stat().st_size} bytes>" for name, file in exchange.files.items()
        ]
        lines += ["", *parts]
    elif exchange.json is not None:
        lines += ["", json.dumps(_filled(exchange.json, known), ensure_ascii=False, indent=2)]
    elif asked.body:
        lines += ["", str(asked.body)]
    return _stable("\n".join(lines), known)


def _answer(exchange: Exchange, answer: requests.Response, known: Mapping[str, str]) -> str:
    reason = http.client.responses.get(answer.status_code, "")
    lines = [f"HTTP/1.1 {answer.status_code} {reason}".rstrip()]
    headers = answer.raw.headers  # those of requests join several cookies
    lines += [f"{name}: {value}" for name in _ANSWER_HEADERS for value in headers.getlist(name)]
    kind = answer.headers.get("Content-Type", "").partition(";")[0]
    if kind.endswith("json") and answer.content:
        body = _masked(answer.json(), exchange.masks)
        lines += ["", json.dumps(body, ensure_ascii=False, indent=2)]
    elif kind.startswith("text/"):
        lines += ["", *answer.text.replace("```", "'''").splitlines()[:MAX_TEXT_LINES]]
    elif answer.content:
        lines += ["", f"<{len(answer.content)} bytes>"]
    return _stable("\n".join(lines), known)


def _masked(value: Any, masks: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        return {key: masks[key] if key in masks else _masked(inner, masks) for key, inner in value.items()}
    return [_masked(inner, masks) for inner in value] if isinstance(value, list) else value


def _stable(text: str, known: Mapping[str, str]) -> str:
    for name, value in known.items():
        if len(value) >= 16:  # ids are shorter, and the same on each run
            text = text.replace(value, name.upper())
    for pattern, shown in _STABLE:
        text = re.sub(pattern, shown, text)
    return text


def upload(server: IntakeServer, audio: bytes, filename: str = "meeting.wav", **fields: str) -> str:
    """Upload a recording through the native API, wait until it is complete, and return its id."""
    recording_id = server.upload(audio, filename, **fields).json()["id"]
    path = f"/api/v1/recordings/{recording_id}/status"
    wait_for(lambda: server.get(path)["status"] in {"COMPLETED", "FAILED"}, "the recording is complete")
    assert server.get(path)["status"] == "COMPLETED", server.log
    return str(recording_id)


def main(names: Sequence[str]) -> None:
    """Write the pages of the named families, or of all."""
    for path in families():
        name, source = page_name(path), module_of(path, "exchanges")
        if source is not None and (not names or name in names):
            with tempfile.TemporaryDirectory() as folder, running(source, Path(folder)) as (server, known):
                PAGES.mkdir(parents=True, exist_ok=True)
                (PAGES / f"{name}.md").write_text(page(name, play(server, source, known)))


if __name__ == "__main__":
    main(sys.argv[1:])
