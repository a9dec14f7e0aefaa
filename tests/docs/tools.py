"""Parse the files of examples/ as their tools do."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from speakr.domain.clock import now
from speakr.domain.events import EventType
from speakr.domain.signatures import delivery_headers
from tests.docs.pages import DOCS, EXAMPLES

NODE = shutil.which("node")
"""What runs JavaScript here, if anything does. What the code reads is compared with the server in any case."""

SERVER = "http://speakr.lan:8899"
TOOLS = ("curl", "home-assistant", "homepage", "n8n", "node-red", "zapier")
FILES = sorted(path for tool in TOOLS for path in (EXAMPLES / tool).iterdir())
PAGES = sorted((DOCS / "integrations").glob("*.md"))


class _Yaml(yaml.SafeLoader):
    """YAML with the tags of Home Assistant, which stay as they are written."""


_Yaml.add_constructor("!secret", lambda _, node: f"!secret {node.value}")
_Yaml.add_constructor("!include", lambda _, node: f"!include {node.value}")


def load_yaml(path: Path) -> Any:
    return yaml.load(path.read_text(), _Yaml)  # noqa: S506 - a SafeLoader with two tags more


@cache
def nodes(path: Path) -> dict[str, dict[str, Any]]:
    """Return the named nodes of a flow of Node-RED or of a workflow of n8n."""
    loaded = json.loads(path.read_text())
    every = loaded["nodes"] if isinstance(loaded, dict) else loaded
    return {node["name"]: node for node in every if "name" in node}


def at(value: Any, path: str) -> Any:
    """Follow dots into what came from JSON."""
    for key in path.split("."):
        value = value[key]
    return value


_EXPRESSION = re.compile(r"\{\{.*?\}\}|\$\{[^}]*\}")
_ADDRESS = re.compile(r"/api/v1(/[\w/{}.*-]*[\w}])(\?[\w=&-]+)?")


def addresses(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield path, with 1 for what a tool fills in, and the names in the query of each address of our API."""
    for path, query in _ADDRESS.findall(_EXPRESSION.sub("1", text)):
        yield path, re.findall(r"[?&](\w+)=", query)


def delivery(
    event: dict[str, Any], *secrets: str, at_time: datetime | None = None
) -> tuple[str, dict[str, str]]:
    """Return the body and the headers, as a receiver sees them, of one attempt to deliver an event."""
    body = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    headers = delivery_headers(
        event_id=event["id"],
        event_type=EventType(event["type"]),
        body=body.encode(),
        secrets=secrets,
        attempted_at=at_time or now(),
    )
    return body, {name.lower(): value for name, value in headers.items()}


SUMMARY_READY = {
    "id": "e67c6aa3-917a-4479-bf06-bfcf3bec6c25",
    "type": "recording.summary.completed",
    "timestamp": "2026-11-21T10:40:15Z",
    "user_id": 1,
    "data": {"recording_id": 7, "title": "Überblick «eins»"},
}


def run_javascript(code: str, given: Any) -> Any:
    """Run the body of an async function whose argument is `given`; return what it returns."""
    script = f"""
        const given = JSON.parse(require("fs").readFileSync(0, "utf8"));
        (async (given) => {{ {code} }})(given).then((result) => console.log(JSON.stringify(result ?? null)));
    """
    done = subprocess.run(
        [str(NODE), "-e", script],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
