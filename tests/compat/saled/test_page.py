"""docs/compat/saled.md: its commands work as they are written."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.datastructures import MultiDict

from tests.conftest import multipart, wav
from tests.docs.pages import blocks, read
from tests.fakes import MemoryJobNotifier

PAGE = "compat/saled.md"
BASE = "http://localhost:8899"


def commands() -> list[str]:
    return [
        line for block in blocks(read(PAGE)) if block.language == "sh" for line in block.text.splitlines()
    ]


class Shell:
    """Does what the page's shell commands do, with Flask's client as curl."""

    def __init__(self, client: FlaskClient, after_post: Callable[[], None]) -> None:
        self.variables: dict[str, str] = {}
        self.answers: list[tuple[str, Any]] = []
        self._client = client
        self._after_post = after_post

    def run(self, line: str) -> None:
        begun = re.fullmatch(r"(\w+)=\$\((curl .*?) \| python3 -c .*\[\"(\w+)\"\]\)'\)", line)
        if begun is not None:
            self.variables[begun[1]] = self._curl(begun[2])[begun[3]]
        elif line.startswith("curl "):
            self._curl(line)
        else:
            (word,) = shlex.split(line)
            name, _, value = word.partition("=")
            self.variables[name] = value

    def _curl(self, line: str) -> Any:
        words = [
            re.sub(r"\$(\w+)", lambda match: self.variables[match[1]], word) for word in shlex.split(line)[1:]
        ]
        headers, form, body, url = {}, MultiDict[str, str](), None, ""
        while words:
            word = words.pop(0)
            if word == "-H":
                name, _, value = words.pop(0).partition(": ")
                headers[name] = value
            elif word == "-d":
                body = words.pop(0)
            elif word == "-F":
                name, _, value = words.pop(0).partition("=")
                form.add(name, value)
            else:
                url = word
        assert url.startswith(BASE)
        if form:
            assert form.pop("file") == "@meeting.flac"
            body, headers["Content-Type"] = multipart(wav(1.0), "meeting.flac", form.to_dict())
        method = "GET" if body is None else "POST"
        answer = self._client.open(url.removeprefix(BASE), method=method, headers=headers, data=body)
        assert answer.status_code == 200, (line, answer.json)
        self.answers.append((line, answer.json))
        self._after_post()
        return answer.json


def test_the_commands_of_the_page_work(
    client: FlaskClient, work: Callable[[], None], inline: MemoryJobNotifier
) -> None:
    shell = Shell(client, work)
    for line in commands():
        shell.run(line)
    shown = json.dumps(shell.answers)
    assert len(shell.answers) == 13
    assert '"status": "completed"' in shown
    assert "seg-1" in shown
    assert "seg-2" in shown


@pytest.mark.on_sqlite
def test_every_route_is_on_the_page(client: FlaskClient) -> None:
    page = re.sub(r"\$(job|summary)\b", "X", read(PAGE)).replace("{job_id}", "X")
    for rule in client.application.url_map.iter_rules():
        if rule.rule.startswith("/saled/api/"):
            path = rule.rule.removeprefix("/saled/api").replace("<job_id>", "X")
            assert f"api{path}" in page, rule.rule
