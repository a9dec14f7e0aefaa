"""docs/api/merging.md: its examples are asked in their order and answered as printed."""

from __future__ import annotations

import itertools
import json
import shlex
from collections.abc import Callable
from typing import Any

import pytest

from speakr.domain.derivation import MAX_MERGED, MIN_MERGED, MIN_SIDE_SECONDS
from speakr.media.join import OPUS
from tests.api.corrections import V1
from tests.api.sounding import detail, sounding
from tests.conftest import Person
from tests.docs.pages import blocks, read

PAGE = read("api/merging.md")
TALK = (("SPEAKER_00", "Good morning all."), ("SPEAKER_01", "We start with the budget."))


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """No SQL is looked at here that the other tests do not try on both."""
    return sqlite_url


def without_varying(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: without_varying(inner) for key, inner in value.items() if key not in {"id", "created_at"}
        }
    return [without_varying(inner) for inner in value] if isinstance(value, list) else value


def ids_in(answer: Any) -> list[int]:
    return [each["id"] for each in answer.get("recordings", [answer])]


def test_examples_are_answered_as_printed(alice: Person, work: Callable[[], Any]) -> None:
    one, two = (sounding(alice, TALK)[0] for _ in range(2))
    asked = 0
    for command, answer in itertools.pairwise(blocks(PAGE)):
        if command.language != "sh":
            continue
        words = shlex.split(command.text)
        body = words[words.index("-d") + 1].replace("[1, 2]", f"[{one}, {two}]")
        path = words[-1].replace("$api/recordings/1/", f"{V1}/{one}/").replace("$api", "/api/v1")
        real = alice.post(path, data=body, content_type="application/json")
        assert real.status_code == 202, (command.text, real.json)
        assert without_varying(real.json) == without_varying(json.loads(answer.text)), command.text
        work()
        assert {detail(alice, each)["status"] for each in ids_in(real.json)} == {"COMPLETED"}
        asked += 1
    assert asked == 2


def test_limits_are_those_of_the_code() -> None:
    assert f"{MIN_MERGED} to {MAX_MERGED}" in PAGE
    assert f"at least {MIN_SIDE_SECONDS:g} s" in PAGE
    assert f"{OPUS.bit_rate // 1000} kbit/s per channel" in PAGE
