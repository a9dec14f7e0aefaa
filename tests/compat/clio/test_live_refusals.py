"""What Clio's API refuses on a real server: no free worker, no space, tokens and ids of others, each failure's shape."""

from __future__ import annotations

import contextlib
import re
import sqlite3
import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.compat.clio.conftest import API, JOHN, PAGE, audio_form
from tests.compat.clio.matrix_rows import NEEDS_CREDENTIAL
from tests.compat.clio.test_failures import checked as in_shape
from tests.crash.speech import short_recording
from tests.intake.server import ALICE, BOB, TIMEOUT_SECONDS, IntakeServer

pytestmark = pytest.mark.stack

LOGIN = {name: JOHN[name] for name in ("username", "password")}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IntakeServer]:
    """A server without a worker."""
    settings = {
        "SPEAKR_REGISTRATION": "yes",
        "SPEAKR_CLIP_START_SECONDS": "1",
        "SPEAKR_MAX_FILE_SIZE_MB": "60",
        "SPEAKR_MAX_AUDIO_ONLY_VIDEO_SIZE_MB": "60",
    }
    with IntakeServer(tmp_path_factory.mktemp("clio"), **settings) as made:
        yield made


class Answer:
    """An answer of `requests` with the attributes that `in_shape` reads."""

    def __init__(self, answer: requests.Response) -> None:
        self.json = answer.json()
        self.status_code, self.headers = answer.status_code, answer.headers


def checked(answer: requests.Response, status: int) -> dict[str, Any]:
    """Check Clio's error format and the headers that all responses have; return the body."""
    assert answer.headers["Content-Type"].startswith("application/json"), answer.text
    return in_shape(Answer(answer), status)


def anonymous(server: IntakeServer, method: str, path: str, **sent: Any) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        address = f"http://127.0.0.1:{server.port}{path}"
        return session.request(method, address, timeout=TIMEOUT_SECONDS, **sent)


def post_audio(server: IntakeServer, path: str, data: bytes, token: str = ALICE) -> requests.Response:
    sent = audio_form(data)
    headers = {"Content-Type": sent["content_type"]}
    return server.request("POST", f"{API}{path}", token=token, data=sent["data"], headers=headers)


@pytest.fixture
def quota_of_bob(server: IntakeServer) -> Iterator[None]:
    """Give Bob 20,000 bytes for the time of a test."""
    set_quota(server, 20_000)
    yield
    set_quota(server, None)


def set_quota(server: IntakeServer, number: int | None) -> None:
    with contextlib.closing(sqlite3.connect(server.folder / "data" / "speakr.db")) as database, database:
        database.execute("UPDATE users SET storage_quota_bytes = ? WHERE username = 'bob'", (number,))


def test_without_a_free_worker_a_transcription_at_once_is_503_and_leaves_nothing(
    server: IntakeServer,
) -> None:
    before = server.kept()
    answer = post_audio(server, "/transcribe/", short_recording())
    checked(answer, 503)
    assert int(answer.headers["Retry-After"]) > 0
    after = server.kept()
    assert (after.blobs, after.temporary) == (before.blobs, frozenset())
    assert after.rows["recordings"] == before.rows["recordings"]


@pytest.mark.usefixtures("quota_of_bob")
def test_a_note_over_the_quota_is_413_and_leaves_nothing(server: IntakeServer) -> None:
    with server.keeps_nothing():
        body = checked(post_audio(server, "/notes/", short_recording(), BOB), 413)
    assert list(body["errors"]) == ["storage"]


def test_sizes_and_types_of_files_are_checked(server: IntakeServer) -> None:
    with server.keeps_nothing():
        small = checked(post_audio(server, "/notes/", b"x" * 500), 400)
        large = checked(post_audio(server, "/notes/", bytes(51 << 20)), 413)
        text = checked(post_audio(server, "/notes/", b"no audio " * 1000), 400)
        checked(server.request("POST", f"{API}/notes/", json={"title": "x"}), 415)
    assert [list(body["errors"]) for body in (small, large, text)] == [["audio_file"]] * 3


def test_each_failure_has_the_shape_of_clio(server: IntakeServer) -> None:
    checked(server.request("GET", f"{API}/nothing/"), 404)
    checked(server.request("GET", f"{API}/notes/?page=x"), 404)
    answer = server.request("DELETE", f"{API}/stats/")
    checked(answer, 405)
    assert "GET" in answer.headers["Allow"]
    checked(
        server.request("POST", f"{API}/tags/", data=b"{", headers={"Content-Type": "application/json"}), 400
    )
    checked(server.request("POST", f"{API}/tags/", data=b"x", headers={"Content-Type": "text/plain"}), 415)
    checked(server.request("POST", f"{API}/tags/", json={"name": "n" * 51}), 400)
    checked(server.request("POST", f"{API}/tags/", json={"name": "x" * (9 << 20)}), 413)


# -- tokens


@pytest.fixture(scope="module")
def john(server: IntakeServer) -> dict[str, str]:
    """The tokens of a user who registered."""
    answer = anonymous(server, "POST", f"{API}/auth/register/", json=JOHN)
    assert answer.status_code == 201, answer.text
    tokens: dict[str, str] = answer.json()["data"]["tokens"]
    return tokens


def stats(server: IntakeServer, access: str) -> requests.Response:
    return server.request("GET", f"{API}/stats/", token=access)


def refresh(server: IntakeServer, token: str) -> requests.Response:
    return anonymous(server, "POST", f"{API}/auth/refresh/", json={"refresh": token})


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def forged(token: str) -> list[str]:
    """Return tokens with the claims of a real one, which the server has not signed."""
    claims = claims_of(token)
    longer = {**claims, "exp": int(time.time()) + 10**6}
    return [
        jwt.encode(claims, None, "none"),
        jwt.encode(claims, "x" * 64, "HS256"),
        jwt.encode(claims, rsa.generate_private_key(65537, 2048), "RS256"),
        jwt.encode(longer, "x" * 64, "HS512"),
        ".".join([*token.split(".")[:2], ""]),
        ".".join(
            [token.split(".", maxsplit=1)[0], jwt.encode(longer, "x" * 64).split(".")[1], token.split(".")[2]]
        ),
    ]


def test_forged_tokens_and_tokens_of_the_other_kind_are_refused(
    server: IntakeServer, john: dict[str, str]
) -> None:
    for token in [*forged(john["access"]), john["refresh"]]:
        checked(stats(server, token), 401)
    for token in [*forged(john["refresh"]), john["access"]]:
        checked(refresh(server, token), 401)
    assert stats(server, john["access"]).status_code == 200


def test_tokens_of_the_native_api_are_not_those_of_clio(server: IntakeServer, john: dict[str, str]) -> None:
    native = anonymous(server, "POST", "/api/v1/auth/login", json=LOGIN).json()
    checked(stats(server, native["access_token"]), 401)
    checked(refresh(server, native["refresh_token"]), 401)
    assert server.request("GET", "/api/v1/auth/me", token=john["access"]).status_code == 401


def test_a_new_password_ends_the_tokens_of_before(server: IntakeServer) -> None:
    form = {**JOHN, "username": "changes", "email": "changes@example.com"}
    old = anonymous(server, "POST", f"{API}/auth/register/", json=form).json()["data"]["tokens"]
    login = {"username": "changes", "password": JOHN["password"]}
    native = anonymous(server, "POST", "/api/v1/auth/login", json=login).json()["access_token"]
    sent = {"password": "another long one", "current_password": JOHN["password"]}
    changed = server.request("PATCH", "/api/v1/users/me", token=native, json=sent)
    assert changed.status_code == 200, changed.text
    checked(stats(server, old["access"]), 401)
    checked(refresh(server, old["refresh"]), 401)
    checked(anonymous(server, "POST", f"{API}/auth/login/", json=login), 401)


# -- what belongs to others


@pytest.fixture(scope="module")
def note(server: IntakeServer) -> Any:
    answer = post_audio(server, "/notes/", short_recording())
    assert answer.status_code == 201, answer.text
    return answer.json()["data"]


BODIES: dict[str, Any] = {"PATCH": {"title": "Mine"}, "PUT": {"title": "Mine"}, "POST": {"language": "en"}}


def test_notes_tags_and_audio_of_others_do_not_exist(server: IntakeServer, note: Any) -> None:
    tag = server.request("POST", f"{API}/tags/", json={"name": "of Alice"}).json()
    audio = note["audio_file"].partition("?")[0]
    for row in sorted(NEEDS_CREDENTIAL):
        method, _, rule = row.partition(" ")
        if "<" not in rule:
            continue
        path = f"/clio{audio}" if "media" in rule else rule.replace("<id:note_id>", str(note["id"]))
        path = re.sub(r"<[^>]*>", str(tag["id"]), path)
        body = {"name": "Mine"} if "tags" in rule else BODIES.get(method)
        answer = server.request(method, path, token=BOB, json=body)
        checked(answer, 404)
        assert "of Alice" not in answer.text
        checked(anonymous(server, method, path, json=body), 401)
        checked(server.request(method, path, token="a.b.c", json=body), 401)
    found = server.get(f"{API}/notes/{note['id']}/")
    assert (found["title"], found["status"]) == (note["title"], "processing")
    assert server.get(f"{API}/notes/?tags={tag['id']}", BOB)["count"] == 0
    sent = {"tag_ids": [tag["id"]]}
    mine = post_audio(server, "/notes/", short_recording(), BOB).json()["data"]["id"]
    checked(server.request("PATCH", f"{API}/notes/{mine}/", token=BOB, json=sent), 400)


def test_audio_plays_in_ranges_for_pages_of_the_list_only(server: IntakeServer, note: Any) -> None:
    path = f"/clio{note['audio_file']}"
    listed = anonymous(server, "GET", path, headers={"Origin": PAGE, "Range": "bytes=0-99"})
    assert (listed.status_code, len(listed.content)) == (206, 100)
    assert listed.headers["Access-Control-Allow-Origin"] == PAGE
    other = anonymous(server, "GET", path, headers={"Origin": "https://evil.example", "Range": "bytes=0-99"})
    assert "Access-Control-Allow-Origin" not in other.headers
    behind = anonymous(server, "GET", path, headers={"Origin": PAGE, "Range": "bytes=999999999-"})
    checked(behind, 416)
