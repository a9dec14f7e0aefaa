"""Invalid input for every route of the native API, and for every field of its bodies and query strings.

Fields come from the OpenAPI document, so a new route or field is tested without a line here. A refusal is 4xx in the
project's error shape, names the field, shows no internals and changes nothing.
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
    HostileClient,
    first_calls,
    noun_of,
    put,
)
from tests.matrix.world import World, build, everything_stored

ROUTES = first_calls()
NOUNS = sorted({noun_of(call) for call in ROUTES.values() if call.method != "GET"})
PARTS = [NOUNS[first::4] for first in range(4)]
"""Several nouns per app, because building an app takes longer than a hundred requests."""


@pytest.fixture
def settings(settings: Any) -> Any:
    return replace(settings, enable_folders=True, webhook_allowed_hosts="127.0.0.1/32")


@pytest.fixture
def world(app: Flask) -> World:
    return build()


@pytest.fixture
def hostile_clients(app: Flask, world: World) -> Callable[..., list[HostileClient]]:
    """Return a client for each route, or for those of some nouns; their tokens exist."""

    def of(*nouns: str) -> list[HostileClient]:
        return [
            HostileClient(app, world, call) for call in ROUTES.values() if not nouns or noun_of(call) in nouns
        ]

    return of


@pytest.mark.parametrize("nouns", PARTS, ids="-".join)
def test_wrong_values_are_refused_by_name(app: Flask, hostile_clients, nouns: list[str]) -> None:
    crowd = hostile_clients(*nouns)
    before = everything_stored(app)
    problems = [problem for hostile_client in crowd for problem in _wrong_values(hostile_client)]
    assert problems == []
    assert everything_stored(app) == before


def _wrong_values(hostile_client: HostileClient) -> Iterator[str]:
    for place in hostile_client.places():
        for value in place.wrong_values():
            if (hostile_client.operation["operationId"], place.name, value) in TAKEN:
                continue
            answer = hostile_client.send(put(hostile_client.body, place.path, value))
            for problem in hostile_client.not_refused(answer, place.path[0]):
                yield f"{hostile_client.call.key} {place.name}={value!r:.40}: {problem}"


@pytest.mark.on_sqlite
def test_bodies_that_are_none_are_refused(app: Flask, hostile_clients) -> None:
    """All kinds of them for one route, and one kind for each of the others: the same function parses them all."""
    crowd = [hostile_client for hostile_client in hostile_clients() if hostile_client.places()]
    before = everything_stored(app)
    problems = []
    for number, hostile_client in enumerate(crowd):
        step = 1 if number == 0 else len(BROKEN_BODIES) - 1
        sent = [(body, "application/json") for body in [*BROKEN_BODIES[::step], *NO_OBJECTS[::step]]]
        sent += [(b'{"name": "x"}', content_type) for content_type in CONTENT_TYPES[::step]]
        for body, content_type in sent:
            found = hostile_client.not_refused(hostile_client.send(body, content_type=content_type), None)
            problems += [
                f"{hostile_client.call.key} {body[:30]!r} {content_type[:30]}: {problem}" for problem in found
            ]
    assert problems == []
    assert everything_stored(app) == before


def test_ids_that_cannot_be_are_not_found(app: Flask, hostile_clients) -> None:
    """All kinds of them for one route, and some for the others: the same converter parses them all."""
    crowd = [hostile_client for hostile_client in hostile_clients() if hostile_client.call.parameters()]
    before = everything_stored(app)
    problems = []
    for number, hostile_client in enumerate(crowd):
        for name in hostile_client.call.parameters():
            for word in WRONG_IDS[:: 4 if number else 1]:
                if word == "0" and f"<number:{name}>" in hostile_client.call.key:
                    continue  # positions in a transcript count from 0
                answer = hostile_client.send(hostile_client.body, path=hostile_client.path(**{name: word}))
                found = hostile_client.not_refused(answer, None)
                if answer.status_code not in {404, 405}:
                    found.append(f"status {answer.status_code}")
                problems += [f"{hostile_client.call.key} {name}={word}: {problem}" for problem in found]
    assert problems == []
    assert everything_stored(app) == before


def test_questions_are_read_with_care(hostile_clients) -> None:
    problems = []
    for hostile_client in hostile_clients():
        for place in hostile_client.questions():
            for word in place.wrong_words():
                answer = hostile_client.send(query_string={**hostile_client.query, place.name: word})
                problems += [
                    f"{hostile_client.call.key} {place.name}={word!r:.40}: {problem}"
                    for problem in hostile_client.not_refused(answer, place.name)
                ]
            for word in (ATTACK, "\x00", "\udcff\udcfe", "x" * 20_000):
                query = {
                    **hostile_client.query,
                    place.name: word.encode("utf-8", "surrogateescape").decode("latin-1"),
                }
                problems += [
                    f"{hostile_client.call.key} {place.name}={word!r:.40}: {problem}"
                    for problem in hostile_client.wrong_with(hostile_client.send(query_string=query))
                ]
    assert problems == []


@pytest.mark.parametrize("nouns", PARTS, ids="-".join)
def test_text_is_text_whatever_it_says(hostile_clients, nouns: list[str]) -> None:
    """Stored text must also come out again: as text and in no header."""
    problems = []
    for hostile_client in hostile_clients(*nouns):
        for place in hostile_client.places():
            if place.kind == "string":
                answer = hostile_client.send(put(hostile_client.body, place.path, LONG))
                found = (
                    hostile_client.wrong_with(answer)
                    if answer.status_code < 300
                    else hostile_client.not_refused(answer, place.path[0])
                )
                problems += [f"{hostile_client.call.key} long {place.name}: {problem}" for problem in found]
            for value in ("\x00", ATTACK):
                answer = hostile_client.send(put(hostile_client.body, place.path, value))
                problems += [
                    f"{hostile_client.call.key} {place.name}: {problem}"
                    for problem in hostile_client.wrong_with(answer)
                ]
    for reader in hostile_clients(*nouns, "recordings", "events"):
        # A live stream waits for work that no worker does here.
        if reader.call.method == "GET" and not reader.call.rule.endswith("/live"):
            answer = reader.send(query_string=reader.query)
            problems += [f"{reader.call.key} afterwards: {problem}" for problem in reader.wrong_with(answer)]
    assert problems == []
