"""A whole server with two web processes: what one of them knows, the other one knows too."""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from speakr.operations.sample import SAMPLE
from tests.operations.conftest import Stack, wait_for

pytestmark = pytest.mark.stack

TOKEN = "a-token-for-tests-that-is-long-enough-to-be-taken"
PASSWORD = "a password for tests"
STATS_PER_MINUTE = 12


class Asking:
    """Sends each request over a connection of its own, so that either process may take it."""

    def __init__(self, port: int) -> None:
        self.port = port

    def __call__(
        self, method: str, path: str, body: bytes | None = None, token: str | None = TOKEN, **headers: str
    ) -> tuple[int, Any]:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent |= {"Authorization": f"Bearer {token}"} if token else {}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, {"Connection": "close", **sent})
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        is_json = (answer.getheader("Content-Type") or "").startswith("application/json")
        return answer.status, json.loads(data) if is_json else data.decode()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder: Path = tmp_path_factory.mktemp("two")
    stack = Stack(
        folder, folder / "data", "--no-sample", "--workers", "1", SPEAKR_WEB_PROCESSES="2", SPEAKR_RATE_LIMITS="yes",
        SPEAKR_RATE_LIMIT_STATS=str(STATS_PER_MINUTE), SPEAKR_RATE_LIMIT_BAD_TOKEN="1000",
        SPEAKR_BOOTSTRAP_TOKEN=TOKEN, SPEAKR_ADMIN_PASSWORD=PASSWORD,
    )  # fmt: skip
    try:
        stack.wait_until_ready()
        assert "2 web processes" in stack.screen
        wait_for(lambda: len(web_workers(stack)) == 2, "two web processes")
        yield stack
    finally:
        stack.clear_away()


@pytest.fixture
def ask(server: Stack) -> Asking:
    return Asking(server.port)


def web_workers(stack: Stack) -> list[int]:
    (master,) = stack.find("gunicorn", parent=stack.process.pid)
    return stack.find("gunicorn", parent=master)


def at_once(count: int, call: Callable[[], Any]) -> list[Any]:
    """Call from several threads, so that both processes get some of it."""
    answers: list[Any] = []
    threads = [threading.Thread(target=lambda: answers.append(call())) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def requests_counted(ask: Asking, route: str) -> float:
    found = re.findall(
        rf'^speakr_http_requests_total{{[^}}]*route="{re.escape(route)}"[^}}]*}} (\S+)$',
        ask("GET", "/metrics", token=None)[1],
        re.MULTILINE,
    )
    return sum(map(float, found))


def test_metrics_are_the_sum_of_both_processes(ask: Asking, server: Stack) -> None:
    before, sent = requests_counted(ask, "/healthz"), 0

    def both_have_answered() -> bool:
        nonlocal sent
        at_once(20, lambda: ask("GET", "/healthz", token=None))
        sent += 20
        names = {path.name for path in (server.data / "metrics").glob("counter_*.db")}
        return {f"counter_{pid}.db" for pid in web_workers(server)} <= names

    wait_for(both_have_answered, "an answer of each process")
    assert requests_counted(ask, "/healthz") == before + sent


def test_a_limit_holds_for_both_processes_together(ask: Asking) -> None:
    statuses = Counter(status for status, _ in at_once(30, lambda: ask("GET", "/api/v1/stats")))
    # A minute may end in between, and then a second window begins.
    assert statuses[200] in {STATS_PER_MINUTE, 2 * STATS_PER_MINUTE}
    assert statuses[429] == 30 - statuses[200]


def test_a_token_made_with_a_password_is_known_and_revoked_in_both_processes(ask: Asking) -> None:
    basic = base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
    body = json.dumps({"name": "n"}).encode()
    status, made = ask(
        "POST",
        "/api/tokens",
        body,
        token=None,
        Authorization=f"Basic {basic}",
        Content_Type="application/json",
    )
    assert status == 201
    raw = made["token"]
    assert {ask("GET", "/api/v1/users/me", token=raw)[0] for _ in range(10)} == {200}
    assert ask("DELETE", f"/api/tokens/{made['id']}")[0] in {200, 204}
    assert {ask("GET", "/api/v1/users/me", token=raw)[0] for _ in range(10)} == {401}


def test_an_upload_to_one_process_is_followed_in_the_other(ask: Asking) -> None:
    boundary = "two-processes"
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="sample.flac"\r\n\r\n'.encode()
        + SAMPLE.read_bytes()
        + f"\r\n--{boundary}--\r\n".encode()
    )
    status, made = ask(
        "POST", "/api/v1/recordings/upload", body, Content_Type=f"multipart/form-data; boundary={boundary}"
    )
    assert status == 202
    path = f"/api/v1/recordings/{made['id']}/live"
    streams = at_once(6, lambda: ask("GET", path))
    assert {status for status, _ in streams} == {200}
    for _, text in streams:
        assert re.search(r'^data: .*"COMPLETED"', text, re.MULTILINE), text[-500:]


def test_one_process_serves_while_the_other_is_killed_and_comes_back(ask: Asking, server: Stack) -> None:
    victim, survivor = web_workers(server)
    # A stopped process takes no connection, so the other one has to answer all of them.
    os.kill(victim, signal.SIGKILL)
    assert {ask("GET", "/healthz", token=None)[0] for _ in range(20)} == {200}
    wait_for(lambda: len(set(web_workers(server)) - {victim}) == 2, "another web process")
    assert survivor in web_workers(server)
    assert ask("GET", "/api/v1/users/me")[0] == 200
