"""docs/integrations and the ready files: what they name exists."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from speakr.api.openapi import document
from speakr.domain.events import EventType
from speakr.settings import Settings
from speakr.web.rate_limits import RateClass, limits_of
from tests.docs.pages import DOCS, EXAMPLES, ROOT, blocks, links, read
from tests.docs.tools import (
    FILES,
    PAGES,
    SUMMARY_READY,
    addresses,
    delivery,
    load_yaml,
    nodes,
)

MENTIONING = [*FILES, *PAGES]
IN_EVERY_QUERY = {"token"}
"""A GET takes the token there too; that it does is tested with the Zap that needs it."""


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_index_names_every_page_and_every_ready_file() -> None:
    index = DOCS / "integrations" / "README.md"
    named = {(index.parent / target.partition("#")[0]).resolve() for target in links(index.read_text())}
    assert {*PAGES} - {index} <= named
    assert {*FILES} <= named


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_ready_files_can_be_parsed(path: Path) -> None:
    """JavaScript is run elsewhere."""
    if path.suffix == ".yaml":
        assert load_yaml(path)
    elif path.suffix == ".json":
        assert nodes(path)
    elif path.suffix == ".sh":
        subprocess.run(["/bin/sh", "-n", path], check=True)
    else:
        assert path.suffix == ".js"


def test_every_address_is_one_of_the_api(app: Flask) -> None:
    described = document(app)
    found = 0
    for file in MENTIONING:
        for path, query in addresses(file.read_text()):
            (item,) = _items(described, path)
            known = {
                one["name"]
                for key, operation in item.items()
                if key != "parameters"
                for one in operation.get("parameters", ())
                if one.get("in") == "query"
            }
            assert {*query} <= known | IN_EVERY_QUERY, (name_of(file), path)
            found += 1
    assert found >= 20


def _items(described: dict[str, Any], path: str) -> list[dict[str, Any]]:
    """Return what is described at an address; one that ends in its middle is completed by hand, as in a Zap."""
    for whole in (path, f"{path}/1"):
        fitting = [
            each for each in described["paths"] if re.fullmatch(re.sub(r"{\w+}", r"\\d+", each), whole)
        ]
        if fitting:
            return [described["paths"][each] for each in fitting]
    pytest.fail(f"{path} is not in the API")


def test_every_event_is_one_of_ours() -> None:
    events = {str(event) for event in EventType}
    for file in MENTIONING:
        named = set(
            re.findall(r"\brecording\.[a-z]+\.(?:completed|failed|started|extracted)\b", file.read_text())
        )
        assert named <= events, name_of(file)


def test_every_header_of_a_delivery_is_sent() -> None:
    _, sent = delivery(SUMMARY_READY, "secret")
    named = set()
    for file in MENTIONING:
        text = file.read_text()
        named |= set(re.findall(r"""["'`]((?:speakr|webhook)-(?!url)[a-z]+(?:-[a-z]+)?)["'`]""", text))
        named |= {name.lower().replace(" ", "-") for name in re.findall(r"Headers Http (Speakr \w+)", text)}
    assert named == {"speakr-signature", "webhook-id", "webhook-timestamp", "webhook-signature"}
    assert named <= set(sent)


def test_code_that_pages_show_is_that_of_the_ready_files() -> None:
    (shown,) = [block.text for block in blocks(read("integrations/node-red.md")) if block.language == "js"]
    flow = nodes(EXAMPLES / "node-red" / "flow.json")
    assert shown.strip() == flow["Check the signature"]["func"]

    n8n = read("integrations/n8n.md")
    for file in (EXAMPLES / "n8n").iterdir():
        for expression in re.findall(r"=(\{\{ [^}]*(?:page|execution)[^}]*\}\}[^\"]*)", file.read_text()):
            assert f"`{expression}`" in n8n, expression


@pytest.mark.parametrize("tool", ["n8n", "node-red"])
def test_flows_hold_no_secrets_and_lead_from_node_to_node(tool: str) -> None:
    for file in (EXAMPLES / tool).iterdir():
        loaded = json.loads(file.read_text())
        if isinstance(loaded, list):
            ids = {node["id"] for node in loaded}
            assert len(ids) == len(loaded)
            assert {to for node in loaded for wire in node.get("wires", ()) for to in wire} <= ids
            kinds = {one["name"]: (one["type"], one["value"]) for one in loaded[0]["env"]}
            assert kinds["SPEAKR_TOKEN"] == kinds["SPEAKR_WEBHOOK_SECRET"] == ("cred", "")
        else:
            wires = loaded["connections"]
            ends = {to["node"] for outputs in wires.values() for out in outputs["main"] for to in out}
            assert {*wires} | ends == {*nodes(file)}
            assert len({node["id"] for node in loaded["nodes"]}) == len(loaded["nodes"])


def test_the_shell_example_turns_every_page(
    serve: Callable[..., Any], upload: Callable[..., Any], make_person: Callable[..., Any]
) -> None:
    """Its pages are of one recording here; everything else is as in the file."""
    server = serve()
    person = make_person("carol")
    for frequency in (220.0, 330.0):
        assert upload(person, title=f"at {frequency} Hz").status_code == 202
    text = (EXAMPLES / "curl" / "list_all.sh").read_text()
    assert "per_page=100" in text
    done = subprocess.run(
        ["/bin/sh", "-c", text.replace("per_page=100", "per_page=1")],
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "SPEAKR_URL": server.url, "SPEAKR_TOKEN": person.token},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    pages = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["title"] for page in pages for one in page["recordings"]] == [
        "at 330.0 Hz",
        "at 220.0 Hz",
    ]


def test_rates_that_pages_speak_of_are_the_defaults() -> None:
    limits = limits_of(Settings(secret_key="x" * 32))
    n8n, homepage = (" ".join(read(f"integrations/{page}.md").split()) for page in ("n8n", "homepage"))
    assert f"The limit is {limits[RateClass.GET]} GETs a minute" in n8n
    assert limits[RateClass.PROCESSING] == 10
    assert "The limit is ten uploads a minute" in n8n
    assert f"The limit is {limits[RateClass.STATS]} per minute and token" in homepage
