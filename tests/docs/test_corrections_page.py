"""docs/api/corrections.md: its examples run in order and are answered as printed."""

from __future__ import annotations

import itertools
import json
import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest

from speakr.settings import Settings
from tests.api.corrections import V1, spoken
from tests.conftest import Person
from tests.docs.pages import blocks, read

PAGE = read("api/corrections.md")
VARYING = {"id", "created_at"}


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """No SQL is looked at here that the other tests do not try on both."""
    return sqlite_url


def examples() -> Iterator[tuple[str, Any]]:
    """Yield each command and the answer that is printed below it."""
    found = blocks(PAGE)
    for command, answer in itertools.pairwise(found):
        if command.language == "sh":
            assert answer.language == "json", command.text
            yield command.text, json.loads(answer.text)


def ask(person: Person, command: str, recording_id: int) -> Any:
    words = shlex.split(command)
    body = words[words.index("-d") + 1] if "-d" in words else None
    method = words[words.index("-X") + 1] if "-X" in words else "POST" if body else "GET"
    address = words[-1].replace("$api/recordings/1/", f"{V1}/{recording_id}/").replace("$api", "/api/v1")
    if body is not None:
        body = body.replace('"recording_ids": [1]', f'"recording_ids": [{recording_id}]')
    answer = person.open(address, method=method, data=body, content_type="application/json")
    assert answer.status_code == 200, (command, answer.json)
    return answer.json


def without_ids(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_ids(inner) for key, inner in value.items() if key not in VARYING}
    return [without_ids(inner) for inner in value] if isinstance(value, list) else value


def test_examples_are_answered_as_printed(alice: Person, settings: Settings) -> None:
    recording_id = spoken(alice)
    asked = list(examples())
    assert len(asked) > 8
    for command, printed in asked:
        assert without_ids(ask(alice, command, recording_id)) == without_ids(printed), command


def test_kinds_of_changes_are_all_named() -> None:
    from speakr.domain.transcript_history import RevisionKind

    (sentence,) = re.findall(r"^`kind` is .*?\. ", PAGE, re.MULTILINE | re.DOTALL)
    assert re.findall(r"`(\w+)`", sentence)[1:] == [kind.value for kind in RevisionKind]
