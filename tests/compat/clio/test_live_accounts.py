"""Clio's accounts over HTTP: a browser client, a script, and the commands of the page, with a worker."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests
from openapi_spec_validator import validate

from tests.compat.clio.conftest import JOHN, PAGE
from tests.conftest import wav
from tests.docs.pages import blocks, read
from tests.intake.server import IntakeServer, wait_for

TIMEOUT_SECONDS = 60


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IntakeServer]:
    folder = tmp_path_factory.mktemp("clio")
    with IntakeServer(folder, SPEAKR_REGISTRATION="yes", TRANSCRIPTION_CONNECTOR="embedded") as server:
        server.start_worker()
        yield server


class Client:
    """A client of Clio at this server; a browser keeps cookies and names its page."""

    def __init__(self, server: IntakeServer, *, is_browser: bool = False) -> None:
        self.address = f"http://127.0.0.1:{server.port}/clio/api"
        self.http = requests.Session()
        self.http.trust_env = False
        if is_browser:
            self.http.headers["Origin"] = PAGE
        else:
            self.http.cookies.set_policy(NoCookies())

    def ask(self, method: str, path: str, status: int, **sent: Any) -> Any:
        answer = self.http.request(method, f"{self.address}{path}", timeout=TIMEOUT_SECONDS, **sent)
        assert answer.status_code == status, answer.text
        assert answer.headers["X-Request-ID"]
        return answer

    def register(self, name: str) -> dict[str, str]:
        form = {**JOHN, "username": name, "email": f"{name}@example.com"}
        tokens: dict[str, str] = self.ask("POST", "/auth/register/", 201, json=form).json()["data"]["tokens"]
        return tokens


class NoCookies(requests.cookies.cookielib.DefaultCookiePolicy):  # type: ignore[name-defined, misc] # it has no types
    """Keeps none."""

    def set_ok(self, *_: object) -> bool:
        return False


def bearer(access: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {access}"}


def test_a_script_works_with_body_tokens_only(server: IntakeServer) -> None:
    client = Client(server)
    answer = client.ask("POST", "/auth/register/", 201, json=JOHN)
    data = answer.json()["data"]
    claims = {
        kind: jwt.decode(token, options={"verify_signature": False}) for kind, token in data["tokens"].items()
    }
    assert claims["access"]["exp"] - claims["access"]["iat"] == 3600
    assert claims["refresh"]["exp"] - claims["refresh"]["iat"] == 7 * 86400
    assert data["user"]["profile"]["storage_quota_mb"] == 1000
    assert answer.headers["Set-Cookie"].count("HttpOnly") == 2

    again = client.ask("POST", "/auth/register/", 400, json=JOHN).json()
    assert again["errors"]["username"]
    assert again["message"]
    differs = {**JOHN, "username": "other", "password_confirm": "else"}
    assert client.ask("POST", "/auth/register/", 400, json=differs).json()["errors"]["non_field_errors"]

    login = {"username": JOHN["username"], "password": JOHN["password"]}
    pair = client.ask("POST", "/auth/login/", 200, json=login).json()
    assert set(pair) == {"refresh", "access"}
    wrong = client.ask("POST", "/auth/login/", 401, json={**login, "password": "wrong"}).json()
    assert (wrong["success"], bool(wrong["detail"])) == (False, True)

    client.ask("GET", "/notes/", 401)
    client.ask("GET", "/notes/", 200, headers=bearer(pair["access"]))
    following = client.ask("POST", "/auth/refresh/", 200, json={"refresh": pair["refresh"]}).json()
    client.ask("POST", "/auth/refresh/", 400, json={})
    sent = {"refresh_token": following["refresh"]}
    client.ask("POST", "/auth/logout/", 200, json=sent, headers=bearer(following["access"]))
    client.ask("POST", "/auth/refresh/", 401, json={"refresh": following["refresh"]})
    client.ask("POST", "/auth/refresh/", 401, json={"refresh": pair["refresh"]})


def test_a_browser_works_with_cookies_only(server: IntakeServer) -> None:
    browser = Client(server, is_browser=True)
    answer = browser.ask("POST", "/auth/register/", 201, json={**JOHN, "username": "bob_b", "email": ""})
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert "X-Request-ID" in answer.headers["Access-Control-Expose-Headers"]
    browser.ask("GET", "/notes/", 200)
    browser.ask("POST", "/auth/refresh/", 200)
    profile = browser.ask("GET", "/auth/profile/", 200).json()["data"]
    changed = browser.ask("PUT", "/auth/profile/", 200, json={**profile, "audio_quality": "low"}).json()
    assert changed["data"] == {**profile, "audio_quality": "low"}
    browser.ask("POST", "/auth/logout/", 200, json={"refresh_token": ""})
    browser.ask("GET", "/notes/", 401)
    browser.ask("POST", "/auth/refresh/", 400)


def at_once(attempt: Callable[[], requests.Response]) -> list[requests.Response]:
    start = threading.Barrier(2)
    found: list[requests.Response] = []

    def run() -> None:
        start.wait()
        found.append(attempt())

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def refreshed(client: Client, **sent: Any) -> requests.Response:
    """Refresh in a connection of its own, as two tabs do."""
    return requests.post(f"{client.address}/auth/refresh/", timeout=TIMEOUT_SECONDS, **sent)


def test_fifty_pairs_of_refreshes_by_cookie_log_no_user_out(server: IntakeServer) -> None:
    client = Client(server)
    token = client.register("racer_by_cookie")["refresh"]
    for _ in range(50):
        sent = {"cookies": {"refresh_token": token}, "headers": {"Origin": PAGE}}
        answers = at_once(lambda sent=sent: refreshed(client, **sent))  # type: ignore[misc]
        assert [answer.status_code for answer in answers] == [200, 200]
        first, second = (answer.json() for answer in answers)
        assert first == second
        token = first["refresh"]
    client.ask("GET", "/stats/", 200, headers=bearer(first["access"]))


def test_of_pairs_of_refreshes_by_body_no_token_works_twice(server: IntakeServer) -> None:
    """Five pairs, because each takes a login; `test_tokens.py` has fifty."""
    client = Client(server)
    client.register("racer_by_body")
    login = {"username": "racer_by_body", "password": JOHN["password"]}
    for _ in range(5):
        token = client.ask("POST", "/auth/login/", 200, json=login).json()["refresh"]
        answers = at_once(lambda token=token: refreshed(client, json={"refresh": token}))  # type: ignore[misc]
        assert sorted(answer.status_code for answer in answers) == [200, 401]
        (winner,) = [answer.json() for answer in answers if answer.status_code == 200]
        client.ask("GET", "/stats/", 401, headers=bearer(winner["access"]))


def test_figures_and_storage_follow_a_note(server: IntakeServer) -> None:
    client = Client(server)
    headers = bearer(client.register("counted")["access"])
    audio = wav(1.5)
    sent = {"audio_file": ("a.wav", audio, "audio/wav")}
    note = client.ask("POST", "/notes/", 201, files=sent, headers=headers).json()["data"]
    wait_for(lambda: note_of(client, note["id"], headers)["status"] == "completed", "the transcript")
    figures = client.ask("GET", "/stats/", 200, headers=headers).json()["data"]
    assert figures["total_notes"] == figures["completed_notes"] == 1
    assert figures["success_rate"] == 100.0
    assert figures["total_duration_seconds"] == pytest.approx(1.5, abs=0.1)
    assert figures["storage_used_mb"] == note["file_size_mb"] > 0
    profile = client.ask("GET", "/auth/profile/", 200, headers=headers).json()["data"]
    assert profile["storage_used_mb"] == note["file_size_mb"]
    client.ask("DELETE", f"/notes/{note['id']}/", 200, headers=headers)
    profile = client.ask("GET", "/auth/profile/", 200, headers=headers).json()["data"]
    assert profile["storage_used_mb"] == 0.0


def note_of(client: Client, note_id: int, headers: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = client.ask("GET", f"/notes/{note_id}/", 200, headers=headers).json()
    assert found["status"] != "failed"
    return found


def test_health_and_the_documents_need_no_credential(server: IntakeServer) -> None:
    client = Client(server)
    answer = client.ask("GET", "/health/", 200, headers={"X-Request-ID": "mine-1"})
    assert answer.json() == {"status": "ok"}
    assert answer.headers["X-Request-ID"] == "mine-1"
    document = client.ask("GET", "/schema/", 200).json()
    validate(document)
    assert "/clio/api/auth/register/" in document["paths"]
    assert document["paths"]["/clio/api/auth/login/"]["post"]["security"] == []
    assert document["paths"]["/clio/api/stats/"]["get"]["security"] == [{"bearer": []}]
    assert "swagger" in client.ask("GET", "/docs/", 200).text.lower()
    assert 'spec-url="/clio/api/schema/"' in client.ask("GET", "/redoc/", 200).text
    script = client.ask("GET", "/redoc/redoc.js", 200)
    assert script.headers["Content-Type"].startswith("text/javascript")
    assert len(script.content) > 1_000_000


def test_the_commands_of_the_page_run(server: IntakeServer, tmp_path: Path) -> None:
    commands = next(block.text for block in blocks(read("compat/clio.md")) if block.language == "sh")
    commands = commands.replace("http://localhost:8899", f"http://127.0.0.1:{server.port}")
    commands = re.sub(r"curl ", "curl -sS --fail-with-body ", commands).replace("john_doe", "page_reader")
    ran = subprocess.run(
        ["/bin/bash", "-e", "-c", commands],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "no_proxy": "127.0.0.1"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert '"preferred_language":"de-DE"' in ran.stdout
    assert '"Logged out successfully"' in ran.stdout
