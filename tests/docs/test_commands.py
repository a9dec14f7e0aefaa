"""The commands of the pages run against a server, and their output is compared with the pages."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import pytest
from flask import Flask

from speakr.api.openapi import document
from speakr.app import FAMILIES
from speakr.settings import Settings
from tests.conftest import wav
from tests.docs.conftest import PASSWORD, Server
from tests.docs.pages import blocks, read

CURL = shutil.which("curl")
PAGES = ["api", "webhooks", "troubleshooting.md", "integrations"]
ADDRESS = re.compile(r'\$api(/[^\s"?]*)')


@dataclass(frozen=True)
class Command:
    """A command and, if the page shows it, the JSON it is answered with."""

    text: str
    answer: Any = None

    @property
    def fails(self) -> bool:
        return self.answer is not None and "error" in self.answer

    @property
    def operation(self) -> tuple[str, str]:
        """Method and path, the ids still in it."""
        (path,) = ADDRESS.findall(self.text)
        method = re.search(r"-X (\w+)", self.text)
        sends = " -d " in self.text or " -F " in self.text
        return (method[1] if method else "POST" if sends else "GET").lower(), path


RUN_ELSEWHERE = {"corrections.md", "merging.md"}
"""Their answers depend on what is said in the recordings: `test_corrections_page.py`, `test_merging_page.py`."""


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Allow all commands of a page within one minute."""
    return replace(settings, rate_limit_processing=100)


def commands(page: str) -> list[Command]:
    found = []
    rest = blocks(read(page, without=RUN_ELSEWHERE))
    for block, following in zip(rest, [*rest[1:], None], strict=True):
        if block.language == "sh":
            shown = following is not None and following.language == "json"
            found.append(Command(block.text.strip(), json.loads(following.text) if shown else None))
    return found


def differences(shown: Any, real: Any, path: str = "") -> Iterator[str]:
    """Return where the shape on a page differs from the real one; null matches anything, as does an empty list."""
    if shown is None or real is None:
        return
    if isinstance(shown, dict) and isinstance(real, dict):
        if list(shown) != list(real):
            yield f"{path}: {list(shown)} is {list(real)}"
        for key in shown.keys() & real.keys():
            yield from differences(shown[key], real[key], f"{path}.{key}")
    elif isinstance(shown, list) and isinstance(real, list):
        if shown and real:
            yield from differences(shown[0], real[0], f"{path}[0]")
    elif type(shown) is not type(real) and not {type(shown), type(real)} <= {int, float}:
        yield f"{path}: {shown!r} is {real!r}"


def test_differences_are_seen() -> None:
    assert list(differences({"a": 1, "b": [{"c": None}]}, {"a": 1.5, "b": [{"c": "x"}, {}]})) == []
    assert list(differences({"a": 1}, {"a": "1"})) == [".a: 1 is '1'"]
    assert list(differences({"a": [{"b": 1}]}, {"a": [{"c": 1}]})) == [".a[0]: ['b'] is ['c']"]


@pytest.mark.parametrize("page", PAGES)
def test_commands_name_operations_and_show_their_shapes(app: Flask, page: str) -> None:
    """Holds also where there is no curl to run them."""
    described = document(app)
    found = commands(page)
    assert found
    for command in found:
        method, path = command.operation
        (known,) = [
            each for each in described["paths"] if re.fullmatch(re.sub(r"{\w+}", r"\\d+", each), path)
        ]
        operation = described["paths"][known][method]
        if command.answer is not None and not command.fails:
            (success,) = [code for code in operation["responses"] if code.startswith("2")]
            schema = operation["responses"][success]["content"]["application/json"]["schema"]
            shape = described["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
            assert set(command.answer) <= set(shape["properties"])
            assert set(shape.get("required", ())) <= set(command.answer)


def native_part(answer: Any) -> Any:
    """Return an answer without the preferences that APIs of other products add."""
    declared = [resolve_name(path).account_webhook for path in FAMILIES]
    for each in declared:
        if each is not None and isinstance(answer, dict) and "preferences" in answer:
            answer["preferences"].pop(each.preference, None)
    return answer


def run(command: Command, server: Server, folder: Path) -> str:
    # -f: a refusal that the page does not show makes the command fail.
    prelude = (
        'curl() { command curl -sS "$@"; }\n' if command.fails else 'curl() { command curl -fsS "$@"; }\n'
    )
    done = subprocess.run(
        ["/bin/sh", "-c", prelude + command.text],
        env={
            "PATH": os.environ["PATH"],
            "api": f"{server.url}/api/v1",
            "auth": f"Authorization: Bearer {server.token}",
            "json": "Content-Type: application/json",
            "password": PASSWORD,
        },
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, (command.text, done.stdout, done.stderr)
    return done.stdout


if CURL is not None:

    @pytest.mark.parametrize("page", PAGES)
    def test_commands_do_what_the_page_shows(
        page: str, serve: Callable[..., Server], work: Callable[[], None], tmp_path: Path
    ) -> None:
        server = serve()
        (tmp_path / "meeting.flac").write_bytes(wav())
        if page != "api":  # which begins with an upload of its own
            run(Command('curl -H "$auth" -F file=@meeting.flac $api/recordings/upload'), server, tmp_path)
        if page == "troubleshooting.md":  # which looks at a webhook that is there
            run(commands("webhooks")[0], server, tmp_path)
        for command in commands(page):
            if "/cancel" not in command.text:  # what is to be cancelled must not be done already
                work()
            output = run(command, server, tmp_path)
            if command.answer is not None:
                assert list(differences(command.answer, native_part(json.loads(output)))) == [], command.text
