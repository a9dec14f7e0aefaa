"""Transcripts in paragraphs, and language, confidence and automatic titles of recordings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from speakr.settings import Settings
from tests.conftest import Person

R = "/api/v1/recordings"


def paragraphs(person: Person, recording_id: int, **query: str) -> str:
    asked = {"format": "text", "style": "paragraphs", **query}
    answer = person.get(f"{R}/{recording_id}/transcript", query_string=asked)
    assert answer.status_code == 200, answer.json
    text: str = answer.json["content"]
    return text


@pytest.fixture
def done(alice: Person, upload: Callable[..., Any], work: Callable[[], None]) -> int:
    made = upload(alice).json["id"]
    work()
    return int(made)


def test_text_in_paragraphs_has_no_speakers(alice: Person, done: int) -> None:
    assert paragraphs(alice, done) == "Heard 0.1-0.4 heard 0.5-0.9."
    plain = alice.get(f"{R}/{done}/transcript?format=text&style=paragraphs", headers={"Accept": "text/plain"})
    assert (plain.mimetype, plain.text) == ("text/plain", "Heard 0.1-0.4 heard 0.5-0.9.")


def test_corrected_text_is_not_changed_and_the_recognised_one_still_is(alice: Person, done: int) -> None:
    alice.put(f"{R}/{done}/transcript", json={"text": "iPhone 0.1-0.4 heard 0.5-0.9"})
    assert paragraphs(alice, done) == "iPhone 0.1-0.4 heard 0.5-0.9"
    assert paragraphs(alice, done, version="raw") == "Heard 0.1-0.4 heard 0.5-0.9."


@pytest.mark.on_sqlite
def test_an_unknown_style_is_refused(alice: Person, done: int) -> None:
    answer = alice.get(f"{R}/{done}/transcript?format=text&style=poem")
    assert (answer.status_code, list(answer.json["errors"])) == (400, ["style"])


class TestRulesOfTheServer:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return replace(settings, paragraph_break_seconds=0.05)

    def test_a_shorter_break_makes_more_paragraphs(self, alice: Person, done: int) -> None:
        assert paragraphs(alice, done) == "Heard 0.1-0.4.\n\nHeard 0.5-0.9."


class TestTurnedOff:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return replace(settings, format_text=False)

    def test_the_text_stays_as_it_was_recognised(self, alice: Person, done: int) -> None:
        assert paragraphs(alice, done) == "heard 0.1-0.4 heard 0.5-0.9"


def test_lists_and_details_have_language_and_confidence(
    alice: Person, upload: Callable[..., Any], work: Callable[[], None]
) -> None:
    made = upload(alice).json["id"]
    keys = ("language", "confidence")
    before = alice.get(f"{R}/{made}").json
    assert [before[key] for key in keys] == [None, None]
    work()
    for shown in (alice.get(f"{R}/{made}").json, alice.get(R).json["recordings"][0]):
        assert [shown[key] for key in keys] == ["en", 0.9]


def test_the_confidence_follows_corrections(alice: Person, done: int) -> None:
    segments = [{"text": "one", "start": 0.1, "end": 0.4}]
    assert alice.put(f"{R}/{done}/transcript", json={"segments": segments}).status_code == 200
    # A person wrote it: no engine says how sure it is.
    assert alice.get(f"{R}/{done}").json["confidence"] is None
    assert alice.post(f"{R}/{done}/transcript/undo").status_code == 200
    assert alice.get(f"{R}/{done}").json["confidence"] == 0.9


def test_lists_can_be_narrowed_to_a_language(alice: Person, done: int) -> None:
    assert [each["id"] for each in alice.get(f"{R}?language=en").json["recordings"]] == [done]
    assert alice.get(f"{R}?language=de").json["recordings"] == []


def test_lists_can_be_sorted_by_duration_with_cursors(
    alice: Person, upload: Callable[..., Any], work: Callable[[], None]
) -> None:
    from tests.conftest import wav

    made = [upload(alice, data=wav(seconds)).json["id"] for seconds in (0.3, 0.5, 0.4)]
    first = alice.get(f"{R}?sort_by=audio_duration&sort_order=desc&per_page=2").json
    assert [each["id"] for each in first["recordings"]] == [made[1], made[2]]
    cursor = first["pagination"]["next_cursor"]
    rest = alice.get(f"{R}?sort_by=audio_duration&sort_order=desc&per_page=2&cursor={cursor}").json
    assert [each["id"] for each in rest["recordings"]] == [made[0]]


def test_the_first_words_become_the_title_only_of_an_upload_without_one(
    alice: Person, upload: Callable[..., Any], work: Callable[[], None]
) -> None:
    without = upload(alice, auto_title="first_words").json["id"]
    titled = upload(alice, auto_title="first_words", title="Mine").json["id"]
    usual = upload(alice).json["id"]
    work()
    titles = {number: alice.get(f"{R}/{number}").json["title"] for number in (without, titled, usual)}
    assert titles[without] == "heard 0.1-0.4 heard 0.5-0.9"
    assert titles[titled] == "Mine"
    assert titles[usual] != titles[without]
