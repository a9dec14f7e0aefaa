"""Insights by a chat model: everything is read, everything is checked."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

import pytest

from evaluation.scripted_talk import LIES, answer_with, lie, long_talk, numbers_shown, true_claim
from speakr.connectors.language.base import ChatRequest, ExtractRequest, LanguageConnector, SummaryRequest
from speakr.connectors.language.lines import one_line
from speakr.domain.errors import ConnectorRejected
from speakr.domain.insights import Insights
from speakr.domain.statements import NumberedLine, Usage
from tests.connectors.chat_server import MakeSettings, chat_reply, connector_for, material_of, system_of
from tests.connectors.fake_provider import FakeProvider, Reply, Request

MOMENT = datetime(2026, 3, 11, 15, 20, tzinfo=ZoneInfo("Europe/Berlin"))
"""A Wednesday."""


@pytest.fixture
def make_connector(provider: FakeProvider, settings_with: MakeSettings) -> Callable[..., LanguageConnector]:
    return partial(connector_for, provider, settings_with)


def extract(connector: LanguageConnector, lines: list[NumberedLine], **fields: object) -> Insights:
    return connector.extract(ExtractRequest(lines=lines, moment=MOMENT, **fields))


def assert_sources_hold(insights: Insights, lines: list[NumberedLine]) -> int:
    """Every source is a line that exists and holds the quote; return how many there were."""
    claims = [
        *insights.key_points,
        *(item.claim for item in insights.action_items),
        *(event.claim for event in insights.events),
    ]
    sources = [source for claim in claims for source in claim.sources]
    sources += [source for topic in insights.topics for source in topic.sources]
    for source in sources:
        assert source.quote
        assert source.quote in one_line(lines[source.line].text)
    return len(sources)


def test_five_hours_are_read_whole_by_a_small_model(
    make_connector: Callable[..., LanguageConnector], provider: FakeProvider
) -> None:
    lines, facts = long_talk(5.0)
    seen: list[int] = []

    def answer(request: Request) -> Reply:
        shown = numbers_shown(material_of(request))
        seen.extend(shown)
        at = shown[len(shown) // 2] - 1
        return chat_reply(
            answer_with(
                key_points=[true_claim(facts[at])], topics=[{"name": facts[at].thing, "lines": [at + 1]}]
            )
        )

    provider.answer = answer
    found = extract(make_connector(llm_context_tokens=8000), lines)

    assert seen == list(range(1, len(lines) + 1))
    assert found.lines_read == len(lines) == 3000
    longest = max(sum(len(m["content"].encode()) for m in r.json["messages"]) for r in provider.requests)
    assert longest / 3 <= 8000 - 2000
    assert found.usage == Usage(100 * len(provider.requests), 7 * len(provider.requests))
    assert all(claim.is_verified for claim in found.key_points)
    assert assert_sources_hold(found, lines) >= len(found.key_points) > 10
    assert found.engine == "openai/m-1"


def test_a_liar_is_found_out(
    make_connector: Callable[..., LanguageConnector], provider: FakeProvider
) -> None:
    lines, facts = long_talk(1.0, seed=3)
    rng = random.Random(5)  # noqa: S311 - the false statements are no secret
    statements: list[tuple[str, dict[str, object]]] = []
    for at in rng.sample(range(5, 590), 140):
        kind = LIES[len(statements) % len(LIES)] if len(statements) % 2 == 0 else "true"
        statements.append((kind, true_claim(facts[at]) if kind == "true" else lie(kind, facts[at], lines)))
    lies = {str(claim["text"]): kind for kind, claim in statements if kind != "true"}
    caught: dict[str, list[bool]] = {}
    believed: list[bool] = []
    for first in range(0, len(statements), 20):
        provider.answers(
            chat_reply(answer_with(action_items=[claim for _, claim in statements[first : first + 20]]))
        )
        found = extract(make_connector(llm_context_tokens=128_000), lines)
        assert_sources_hold(found, lines)
        for item in found.action_items:
            if item.claim.text in lies:
                caught.setdefault(lies[item.claim.text], []).append(not item.claim.is_verified)
            else:
                believed.append(item.claim.is_verified)

    marks = [mark for each in caught.values() for mark in each]
    assert len(marks) >= 50
    assert sum(marks) / len(marks) >= 0.95, {kind: sum(each) / len(each) for kind, each in caught.items()}
    assert sum(believed) / len(believed) >= 0.95


TALK = [
    NumberedLine(
        "Alice", "Let's meet on the nineteenth of June at half past nine to review the contract.", 0.0, 6.0
    ),
    NumberedLine("Bob", "I will send the contract to Carla by Friday.", 7.0, 10.0),
    NumberedLine("Alice", "We decided not to move the server to Oslo.", 150.0, 155.0),
    NumberedLine("Bob", "The budget is forty five thousand euros.", 300.0, 304.0),
]


def test_dates_are_worked_out_here_and_not_by_the_model(
    make_connector: Callable[..., LanguageConnector], provider: FakeProvider
) -> None:
    event = {
        "title": "Review of the contract",
        "when": "the nineteenth of june",
        "start": "2025-01-01T00:00",
        "lines": [1],
        "quote": "meet on the nineteenth of June",
        "attendees": ["Alice", 5, " "],
    }
    invented = {
        "title": "Party",
        "start": "2026-12-24T20:00",
        "lines": [4],
        "quote": "The budget is forty five",
    }
    past = {
        "title": "Contract",
        "start": "2020-01-01T10:00",
        "lines": [2],
        "quote": "I will send the contract",
    }
    task = {
        "text": "Send the contract to Carla",
        "owner": "Bob",
        "due": "by Friday",
        "lines": [2],
        "quote": "send the contract to Carla",
    }
    provider.answers(chat_reply(answer_with(events=[event, invented], action_items=[task])))
    found = extract(make_connector(), TALK)
    review, party = found.events
    assert review.start == datetime(2026, 6, 19, 9, 30, tzinfo=MOMENT.tzinfo)
    assert (review.claim.is_verified, review.has_time, review.attendees) == (True, True, ["Alice"])
    assert not party.claim.is_verified
    (item,) = found.action_items
    assert (item.owner, item.due, item.due_at) == (
        "Bob",
        "by Friday",
        datetime(2026, 3, 13, tzinfo=MOMENT.tzinfo),
    )
    assert item.claim.is_verified

    provider.answers(chat_reply(answer_with(events=[past])))
    (moved,) = extract(make_connector(), TALK).events
    assert moved.start == datetime(2026, 3, 13, tzinfo=MOMENT.tzinfo), "the cited line says Friday"
    assert "Wednesday, 2026-03-11" in system_of(provider.requests[0])


def test_a_task_given_to_another_person_is_marked(
    make_connector: Callable[..., LanguageConnector], provider: FakeProvider
) -> None:
    task = {
        "text": "Send the contract",
        "owner": "Dmitri",
        "lines": [2],
        "quote": "send the contract to Carla",
    }
    provider.answers(chat_reply(answer_with(action_items=[task])))
    (item,) = extract(make_connector(), TALK).action_items
    assert (item.owner, item.claim.is_verified) == ("Dmitri", False)


def test_chapters_are_in_order_and_long_enough(
    make_connector: Callable[..., LanguageConnector], provider: FakeProvider
) -> None:
    chapters = [
        {"line": 4, "title": "Budget"},
        {"line": 1, "title": "Contract"},
        {"line": 2, "title": "Too soon"},
        {"line": 99, "title": "Nowhere"},
        {"line": "3", "title": "No number"},
        {"line": 3, "title": "Server"},
    ]
    provider.answers(chat_reply(answer_with(chapters=chapters)))
    found = extract(make_connector(), TALK)
    assert [(chapter.title, chapter.line) for chapter in found.chapters] == [
        ("Contract", 0),
        ("Server", 2),
        ("Budget", 3),
    ]


def test_an_answer_that_is_no_json_is_asked_for_again(
    make_connector: Callable[..., LanguageConnector], provider: FakeProvider
) -> None:
    answers = iter(
        [
            "I would rather not.",
            answer_with(key_points=[{"text": "The budget is forty five thousand euros", "lines": [4]}]),
        ]
    )
    provider.answer = lambda _: chat_reply(next(answers))
    found = extract(make_connector(), TALK)
    assert found.key_points[0].is_verified
    assert (found.lines_read, found.usage.total) == (4, 214)


@pytest.mark.parametrize("rubbish", ["No.", "[1, 2]", '{"key_points": ', "{" * 5000])
def test_a_model_that_never_answers_in_json_is_rejected(
    rubbish: str, make_connector: Callable[..., LanguageConnector], provider: FakeProvider
) -> None:
    provider.answers(chat_reply(rubbish))
    with pytest.raises(ConnectorRejected) as failed:
        extract(make_connector(), TALK)
    assert failed.value.tokens_spent == 214


def test_a_part_without_an_answer_is_not_counted_as_read(
    make_connector: Callable[..., LanguageConnector], provider: FakeProvider
) -> None:
    lines, _ = long_talk(0.5)
    lost: list[int] = []

    def answer(request: Request) -> Reply:
        shown = numbers_shown(material_of(request))
        if 1 in shown:
            lost[:] = shown
            return chat_reply("nothing")
        return chat_reply(answer_with())

    provider.answer = answer
    assert (
        extract(make_connector(llm_context_tokens=4000), lines).lines_read
        == len(lines) - len(lost)
        < len(lines)
    )


@pytest.mark.parametrize(
    "found",
    [
        {"key_points": "x", "action_items": [1, None], "chapters": {}, "topics": [[]], "events": [{}]},
        {
            "key_points": [{"text": 5}],
            "events": [{"title": "x", "start": "soon", "lines": "1"}],
            "topics": [{"name": ""}],
        },
        {"key_points": [{"text": "a" * 10_000, "lines": [True, 10**30, -4], "quote": {}}]},
    ],
)
def test_any_json_is_survived(
    found: dict, make_connector: Callable[..., LanguageConnector], provider: FakeProvider
) -> None:
    provider.answers(chat_reply(json.dumps(found)))
    insights = extract(make_connector(), TALK)
    assert all(not claim.is_verified and len(claim.text) <= 500 for claim in insights.key_points)
    assert insights.chapters[0].line == 0


def test_a_transcript_without_a_word_sends_no_request(
    make_connector: Callable[..., LanguageConnector], provider: FakeProvider
) -> None:
    found = extract(make_connector(), [NumberedLine("A", " ", 0.0)])
    assert (found.lines_read, found.key_points, found.chapters, provider.requests) == (1, [], [], [])


# -- summaries and answers


def test_a_summary_has_sources_line_by_line(
    make_connector: Callable[..., LanguageConnector], provider: FakeProvider
) -> None:
    written = """## Decisions

- The server is not moved to Oslo [3].
- The budget is 45,000 euros [4] and the contract goes to Carla [2].
- The budget is 54,000 euros [4].
- The server moves to Oslo [3].
- Everybody was fired [77].
- Bob will send the contract to Carla by Friday."""
    provider.answers(chat_reply(written))
    summary = make_connector().summarize(SummaryRequest(lines=TALK))
    lines = summary.markdown.splitlines()
    assert "[" not in summary.markdown
    assert lines[2:4] == [
        "- The server is not moved to Oslo.",
        "- The budget is 45,000 euros and the contract goes to Carla.",
    ]
    marks = {at - 1: claim.is_verified for at, claim in summary.evidence.items()}
    assert marks == {1: True, 2: True, 3: False, 4: False, 5: False, 6: True}
    assert [source.line for source in summary.evidence[3].sources] == [3, 1]
    assert [source.line for source in summary.evidence[7].sources] == [1], "found without being cited"
    assert summary.evidence[6].sources == ()
    assert summary.lines_read == 4


def test_an_answer_marks_statements_without_support(
    make_connector: Callable[..., LanguageConnector], provider: FakeProvider
) -> None:
    provider.answers(chat_reply("The budget is 45,000 euros [4]. Carla resigned in Vienna [2]."))
    answer = make_connector().chat(ChatRequest(lines=TALK, question="What of the budget?"))
    assert answer.unverified == ["Carla resigned in Vienna"]
    assert [source.line for source in answer.sources] == [3, 1]
    assert answer.lines_read == 4
