"""The example receivers, run as a subscriber would run them, against requests that Speakr signs."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest

from speakr.domain.clock import now
from speakr.domain.events import EventType
from speakr.webhooks.signature import delivery_headers, new_secret
from tests.docs.pages import EXAMPLES

INTERPRETERS = {"webhook_receiver.py": sys.executable, "webhook_receiver.mjs": shutil.which("node")}
"""Where there is no Node its receiver is not run; that the page shows the file is tested elsewhere."""

SECRET = new_secret()
OLD_SECRET = new_secret()


@dataclass
class Running:
    """A receiver that listens, and what it prints."""

    process: subprocess.Popen[str]
    port: int

    def post(self, body: bytes, headers: dict[str, str]) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("POST", "/", body, headers)
            return connection.getresponse().status
        finally:
            connection.close()

    def next_line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")


@pytest.fixture(scope="module", params=[name for name, interpreter in INTERPRETERS.items() if interpreter])
def receiver(request: pytest.FixtureRequest) -> Iterator[Running]:
    process = subprocess.Popen(
        [str(INTERPRETERS[request.param]), EXAMPLES / request.param, "0"],
        env={"PATH": os.environ["PATH"], "SPEAKR_WEBHOOK_SECRET": SECRET},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    found = re.fullmatch(r"Listening on http://127\.0\.0\.1:(\d+)/\n", process.stdout.readline())
    try:
        assert found is not None
        yield Running(process, int(found[1]))
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def delivery(
    event_id: str, *, age: timedelta = timedelta(0), secrets: tuple[str, ...] = (SECRET,)
) -> tuple[bytes, dict[str, str]]:
    """Return body and headers of one attempt, as the dispatcher makes them."""
    envelope = {
        "id": event_id,
        "type": "recording.deleted",
        "data": {"recording_id": 7, "title": "Überblick"},
    }
    body = json.dumps(envelope, ensure_ascii=False, separators=(",", ":")).encode()
    headers = delivery_headers(
        event_id=event_id,
        event_type=EventType.RECORDING_DELETED,
        body=body,
        secrets=secrets,
        attempted_at=now() - age,
    )
    return body, headers


def without(headers: dict[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in headers.items() if key != name}


def test_what_is_genuine_is_taken_once(receiver: Running) -> None:
    body, headers = delivery("genuine")
    assert receiver.post(body, headers) == 200
    assert receiver.post(body, headers) == 200
    assert receiver.post(*delivery("next")) == 200
    lines = [receiver.next_line(), receiver.next_line()]
    assert [line.partition(" ")[0] for line in lines] == ["recording.deleted"] * 2
    assert json.loads(lines[0].partition(" ")[2]) == {"recording_id": 7, "title": "Überblick"}


def test_both_secrets_of_a_rotation_will_do(receiver: Running) -> None:
    for name, secrets in {"old first": (OLD_SECRET, SECRET), "new first": (SECRET, OLD_SECRET)}.items():
        assert receiver.post(*delivery(name, secrets=secrets)) == 200
        receiver.next_line()


def test_a_tampered_body_is_refused(receiver: Running) -> None:
    body, headers = delivery("tampered")
    assert receiver.post(body.replace(b":7,", b":8,"), headers) == 401
    assert receiver.post(b"", headers) == 401


def test_a_stale_or_early_attempt_is_refused(receiver: Running) -> None:
    assert receiver.post(*delivery("stale", age=timedelta(minutes=5, seconds=5))) == 401
    assert receiver.post(*delivery("early", age=-timedelta(minutes=5, seconds=5))) == 401
    body, headers = delivery("freshened", age=timedelta(minutes=10))
    _, fresh = delivery("freshened")
    assert receiver.post(body, headers | {"webhook-timestamp": fresh["webhook-timestamp"]}) == 401


def test_another_id_or_secret_is_refused(receiver: Running) -> None:
    body, headers = delivery("renamed")
    assert receiver.post(body, headers | {"webhook-id": "another"}) == 401
    assert receiver.post(*delivery("foreign", secrets=(OLD_SECRET,))) == 401


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_missing_header_is_refused(receiver: Running, name: str) -> None:
    body, headers = delivery("bare")
    assert receiver.post(body, without(headers, name)) == 401


@pytest.mark.parametrize("value", ["", "v1,", "v1,\xe4\xf6", "v0 v1,AAAA", "sha256=00"])
def test_a_strange_signature_is_refused(receiver: Running, value: str) -> None:
    body, headers = delivery("strange")
    assert receiver.post(body, headers | {"webhook-signature": value}) == 401


@pytest.mark.parametrize("value", ["soon", "1e9", "-5", "\xb2", "9" * 400])
def test_a_strange_time_is_refused(receiver: Running, value: str) -> None:
    body, headers = delivery("timeless")
    assert receiver.post(body, headers | {"webhook-timestamp": value}) == 401


def test_too_large_a_body_is_refused(receiver: Running) -> None:
    _, headers = delivery("large")
    connection = http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=10)
    try:
        connection.putrequest("POST", "/")
        connection.putheader("Content-Length", str(2 * 1024 * 1024))
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        with contextlib.suppress(OSError):  # it may have stopped listening
            connection.send(b" " * (2 * 1024 * 1024))
        assert connection.getresponse().status == 413
    finally:
        connection.close()
