"""Every route of the native API, and every field in its body and query string, fed with what no client should send.

Fields come from the API's own description, so a new route or field is tested without a line here. A refusal is 4xx in the
project's shape, names the field, shows nothing of the server's inside and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from tests.api.hostile import (
    ATTACK,
    BROKEN_BODIES,
    CONTENT_TYPES,
    LONG,
    NO_OBJECTS,
    TAKEN,
    WRONG_IDS,
    Stranger,
    first_calls,
    noun_of,
    put,
)
from tests.matrix.world import World, build, everything_stored

ROUTES = first_calls()
NOUNS = sorted({noun_of(call) for call in ROUTES.values() if call.method != "GET"})
PARTS = [NOUNS[first::4] for first in range(4)]
"""Some nouns at a time, for a server to ask takes longer to make than a hundred questions."""


@pytest.fixture
def settings(settings: Any) -> Any:
    return replace(settings, enable_folders=True, webhook_allowed_hosts="127.0.0.1/32")


@pytest.fixture
def world(app: Flask) -> World:
    return build()


@pytest.fixture
def strangers(app: Flask, world: World) -> Callable[..., list[Stranger]]:
    """Return somebody for each route, or for those of some nouns; their tokens are all there."""

    def of(*nouns: str) -> list[Stranger]:
        return [Stranger(app, world, call) for call in ROUTES.values() if not nouns or noun_of(call) in nouns]

    return of


@pytest.mark.parametrize("nouns", PARTS, ids="-".join)
def test_wrong_values_are_refused_by_name(app: Flask, strangers, nouns: list[str]) -> None:
    crowd = strangers(*nouns)
    before = everything_stored(app)
    problems = [problem for stranger in crowd for problem in _wrong_values(stranger)]
    assert problems == []
    assert everything_stored(app) == before


def _wrong_values(stranger: Stranger) -> Iterator[str]:
    for place in stranger.places():
        for value in place.wrong_values():
            if (stranger.operation["operationId"], place.name, value) in TAKEN:
                continue
            answer = stranger.send(put(stranger.body, place.path, value))
            for problem in stranger.not_refused(answer, place.path[0]):
                yield f"{stranger.call.key} {place.name}={value!r:.40}: {problem}"


@pytest.mark.on_sqlite
def test_bodies_that_are_none_are_refused(app: Flask, strangers) -> None:
    """All kinds of them by one route, and one of each kind by the others: one function reads them all."""
    crowd = [stranger for stranger in strangers() if stranger.places()]
    before = everything_stored(app)
    problems = []
    for number, stranger in enumerate(crowd):
        step = 1 if number == 0 else len(BROKEN_BODIES) - 1
        sent = [(body, "application/json") for body in [*BROKEN_BODIES[::step], *NO_OBJECTS[::step]]]
        sent += [(b'{"name": "x"}', content_type) for content_type in CONTENT_TYPES[::step]]
        for body, content_type in sent:
            found = stranger.not_refused(stranger.send(body, content_type=content_type), None)
            problems += [
                f"{stranger.call.key} {body[:30]!r} {content_type[:30]}: {problem}" for problem in found
            ]
    assert problems == []
    assert everything_stored(app) == before


def test_ids_that_cannot_be_are_not_found(app: Flask, strangers) -> None:
    """All kinds of them by one route, and some by the others: one converter reads them all."""
    crowd = [stranger for stranger in strangers() if stranger.call.parameters()]
    before = everything_stored(app)
    problems = []
    for number, stranger in enumerate(crowd):
        for name in stranger.call.parameters():
            for word in WRONG_IDS[:: 4 if number else 1]:
                if word == "0" and f"<number:{name}>" in stranger.call.key:
                    continue  # places in a transcript count from 0
                answer = stranger.send(stranger.body, path=stranger.path(**{name: word}))
                found = stranger.not_refused(answer, None)
                if answer.status_code not in {404, 405}:
                    found.append(f"status {answer.status_code}")
                problems += [f"{stranger.call.key} {name}={word}: {problem}" for problem in found]
    assert problems == []
    assert everything_stored(app) == before


def test_questions_are_read_with_care(strangers) -> None:
    problems = []
    for stranger in strangers():
        for place in stranger.questions():
            for word in place.wrong_words():
                answer = stranger.send(query_string={**stranger.query, place.name: word})
                problems += [
                    f"{stranger.call.key} {place.name}={word!r:.40}: {problem}"
                    for problem in stranger.not_refused(answer, place.name)
                ]
            for word in (ATTACK, "\x00", "\udcff\udcfe", "x" * 20_000):
                query = {
                    **stranger.query,
                    place.name: word.encode("utf-8", "surrogateescape").decode("latin-1"),
                }
                problems += [
                    f"{stranger.call.key} {place.name}={word!r:.40}: {problem}"
                    for problem in stranger.wrong_with(stranger.send(query_string=query))
                ]
    assert problems == []


@pytest.mark.parametrize("nouns", PARTS, ids="-".join)
def test_text_is_text_whatever_it_says(strangers, nouns: list[str]) -> None:
    """What is stored must also come out again: as text and in no header."""
    problems = []
    for stranger in strangers(*nouns):
        for place in stranger.places():
            if place.kind == "string":
                answer = stranger.send(put(stranger.body, place.path, LONG))
                found = (
                    stranger.wrong_with(answer)
                    if answer.status_code < 300
                    else stranger.not_refused(answer, place.path[0])
                )
                problems += [f"{stranger.call.key} long {place.name}: {problem}" for problem in found]
            for value in ("\x00", ATTACK):
                answer = stranger.send(put(stranger.body, place.path, value))
                problems += [
                    f"{stranger.call.key} {place.name}: {problem}" for problem in stranger.wrong_with(answer)
                ]
    for reader in strangers(*nouns, "recordings", "events"):
        # A live stream waits for work that nobody does here.
        if reader.call.method == "GET" and not reader.call.rule.endswith("/live"):
            answer = reader.send(query_string=reader.query)
            problems += [f"{reader.call.key} afterwards: {problem}" for problem in reader.wrong_with(answer)]
    assert problems == []
