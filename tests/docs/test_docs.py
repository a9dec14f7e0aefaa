"""The documents do not lie."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests
from flask import Flask

from speakr.domain.events import EVENTS
from speakr.domain.permissions import Scope
from speakr.webhooks.signature import delivery_headers

ROOT = Path(__file__).resolve().parents[2]
WEBHOOKS = (ROOT / "docs" / "webhooks.md").read_text()
API = (ROOT / "docs" / "api.md").read_text()


def test_every_event_stands_in_the_table_with_its_data() -> None:
    told = {
        row[1]: set(re.findall(r"`(\w+)`", row[2]))
        for row in re.finditer(
            r"^\| `((?:recording|webhook)\.[a-z.]+)` \|[^|]*\|([^|]*)\|$", WEBHOOKS, re.MULTILINE
        )
    }
    assert told == {event.type.value: {field.name for field in dataclasses.fields(event)} for event in EVENTS}


def test_every_operation_stands_in_the_guide_with_its_scope_and_none_besides(app: Flask) -> None:
    spec = app.test_client().get("/api/v1/openapi.json").json
    real = {
        f"{method.upper()} {path}": operation["x-scope"]
        for path, item in spec["paths"].items()
        if "servers" not in item  # the second address of the tokens
        for method, operation in item.items()
        if method in {"get", "post", "put", "patch", "delete"}
    }
    told = dict(re.findall(r"^\| `([A-Z]+ /[^`]*)` \| (\w+) \|", API, re.MULTILINE))
    assert {operation: told.get(operation) for operation in real} == real


def test_every_scope_is_explained() -> None:
    assert {scope.value for scope in Scope} <= set(re.findall(r"^\| `(\w+)` \|", API, re.MULTILINE))


def test_links_between_documents_lead_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("name", ["webhook_receiver.py", "webhook_receiver.mjs"])
def test_the_receivers_shown_are_the_ones_that_run(name: str) -> None:
    assert (ROOT / "examples" / name).read_text().rstrip() in WEBHOOKS


def _commands() -> list[list[str]]:
    node = shutil.which("node")  # a machine without Node still checks, above, that the text is the file
    return [[sys.executable, "webhook_receiver.py"], *([[node, "webhook_receiver.mjs"]] if node else [])]


@pytest.mark.parametrize("command", _commands(), ids=lambda command: Path(command[1]).suffix)
def test_the_receivers_take_what_is_signed_and_nothing_else(command: list[str]) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    receiver = subprocess.Popen(
        [*command, str(port)],
        cwd=ROOT / "examples",
        env={"PATH": os.environ["PATH"], "SPEAKR_WEBHOOK_SECRET": "s3cret"},
        stdout=subprocess.DEVNULL,
    )
    try:
        body = '{"type":"webhook.test","id":"1","data":{"reason":"Ünïcode"}}'.encode()
        headers = delivery_headers(
            event_id="1",
            event_type="webhook.test",
            body=body,
            secrets=["s3cret"],
            attempted_at=datetime.now(UTC),
        )
        url = f"http://127.0.0.1:{port}/"
        for _ in range(100):
            try:
                good = requests.post(url, data=body, headers=headers, timeout=5)
                break
            except requests.ConnectionError:
                time.sleep(0.05)
        assert good.status_code == 200
        assert requests.post(url, data=body + b" ", headers=headers, timeout=5).status_code == 401
        assert requests.post(url, data=body, timeout=5).status_code == 401
    finally:
        receiver.kill()
        receiver.wait()
