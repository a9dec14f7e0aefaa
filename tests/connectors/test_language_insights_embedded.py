"""What the embedded engine finds in a transcript, and where it says it found it."""

from __future__ import annotations

import itertools
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from evaluation.scripted_chapters import SUBJECTS, talk_about
from evaluation.scripted_talk import long_talk
from speakr.connectors.language.base import ExtractRequest, SummaryRequest
from speakr.connectors.language.chapters import find_chapters
from speakr.connectors.language.compact import numbers_of, write_compactly
from speakr.connectors.language.embedded import EmbeddedLanguageConnector
from speakr.connectors.language.evidence import Evidence
from speakr.connectors.language.foreign_dates import find_foreign_dates
from speakr.connectors.language.lines import one_line
from speakr.domain.insights import Insights
from speakr.domain.statements import NumberedLine

MOMENT = datetime(2026, 3, 11, 15, 20, tzinfo=ZoneInfo("Europe/Berlin"))
"""A Wednesday."""

TALK = [
    NumberedLine(
        "Alice", "Okay, so the budget for the mobile application is forty five thousand euros.", 0, 5
    ),
    NumberedLine("Bob", "I'll send the budget draft to Maria by Friday.", 6, 9),
    NumberedLine("Alice", "Maria will review the draft next Tuesday at ten in room five.", 10, 14),
    NumberedLine("Bob", "Can you book the conference room for the nineteenth of june", 15, 18),
    NumberedLine("Bob", "at half past nine?", 18, 20),
    NumberedLine("Alice", "Sure. Yesterday was hard, the mobile application crashed last Monday.", 21, 25),
    NumberedLine("Alice", "We have until the end of next week to fix the mobile application.", 26, 30),
]


def extract(lines: list[NumberedLine], **fields: object) -> Insights:
    return EmbeddedLanguageConnector().extract(ExtractRequest(lines=lines, moment=MOMENT, **fields))


def test_dated_events_stand_where_they_were_said() -> None:
    found = extract(TALK)
    assert [(f"{event.start:%m-%d %H:%M}", event.has_time, event.location) for event in found.events] == [
        ("03-13 00:00", False, None),
        ("03-17 10:00", True, "room five"),
        ("06-19 09:30", True, None),
    ]
    assert [source.line for source in found.events[2].claim.sources] == [3, 4]


def test_tasks_have_owners_and_dates() -> None:
    items = extract(TALK).action_items
    assert [(item.owner, item.due) for item in items[:2]] == [
        ("Bob", "Friday"),
        ("Maria", "next Tuesday at ten"),
    ]
    assert items[0].claim.text == "I'll send the budget draft to Maria by Friday"
    assert items[0].due_at == datetime(2026, 3, 13, tzinfo=MOMENT.tzinfo)


@pytest.mark.parametrize(
    ("said", "is_task"),
    [
        ("There might be little in his power to do for them.", False),
        ("That is an easy thing to do this way.", False),
        ("Action item update the road map for spring.", True),
        ("To do: update the road map for spring.", True),
        ("I noted a to-do for the next sprint.", True),
    ],
)
def test_to_do_something_is_no_task_by_itself(said: str, *, is_task: bool) -> None:
    assert bool(extract([NumberedLine("Alice", said, 0, 5)]).action_items) is is_task


def test_every_word_of_it_stands_in_the_transcript() -> None:
    lines, _ = long_talk(0.5)
    for talk in (TALK, lines, talk_about(list(SUBJECTS), 30, 1, pause=1.0)[0]):
        found = extract(talk)
        summary = EmbeddedLanguageConnector().summarize(SummaryRequest(lines=talk))
        claims = [*found.key_points, *(i.claim for i in found.action_items), *(e.claim for e in found.events)]
        claims += summary.evidence.values()
        sources = [source for claim in claims for source in claim.sources]
        sources += [source for topic in found.topics for source in topic.sources]
        assert len(sources) >= len(claims) > 3
        assert all(claim.is_verified and claim.sources for claim in claims)
        assert all(source.quote in one_line(talk[source.line].text) for source in sources)
        assert found.lines_read == summary.lines_read == len(talk)
        rows = summary.markdown.splitlines()
        assert all(claim.text in rows[at] for at, claim in summary.evidence.items())


def test_a_quote_of_an_endless_line_stands_in_it_too() -> None:
    line = NumberedLine("A", "the mobile application " + "and the other thing " * 300, 0, 900)
    sources = [source for topic in extract([line]).topics for source in topic.sources]
    assert sources
    assert all(source.quote in one_line(line.text) for source in sources)


def test_nothing_said_is_nothing_found() -> None:
    found = extract([NumberedLine("A", "", 0, 1)])
    assert (found.key_points, found.action_items, found.chapters, found.topics, found.events) == (
        [],
        [],
        [],
        [],
        [],
    )


# -- chapters


def test_chapters_begin_where_the_subject_changes() -> None:
    orders = list(itertools.permutations(SUBJECTS, 3))
    changes = hits = false = 0
    seconds = 0.0
    for seed, order in enumerate(orders):
        lines, true = talk_about(list(order), (30, 60)[seed % 2], seed, pause=(0.0, 2.0)[seed % 3 == 0])
        found = [chapter.line for chapter in find_chapters(lines)][1:]
        right = {at for at in found if any(abs(at - change) <= 1 for change in true)}
        changes, hits, false = changes + len(true), hits + len(right), false + len(found) - len(right)
        seconds += lines[-1].start
    assert hits / changes >= 0.97, (hits, changes)
    assert false / (seconds / 600) <= 1.0, false


@pytest.mark.parametrize("subject", SUBJECTS)
def test_one_subject_is_one_chapter(subject: str) -> None:
    lines, _ = talk_about([subject], 120, 4, pause=0.0)
    (chapter,) = find_chapters(lines)
    assert chapter.line == 0
    assert chapter.title


def test_chapters_are_two_minutes_long_or_more() -> None:
    lines, _ = talk_about(list(SUBJECTS) * 3, 8, 2, pause=3.0)
    starts = [lines[chapter.line].start for chapter in find_chapters(lines)]
    assert all(later - earlier >= 120 for earlier, later in itertools.pairwise(starts))


# -- what checks models


@pytest.mark.parametrize(
    ("claim", "cited", "is_right"),
    [
        ("The mobile application costs 45,000 euros.", [0], True),
        ("The mobile application costs 54,000 euros.", [0], False),
        ("Bob sends the draft of the budget to Maria.", [1], True),
        ("Bob sends the draft of the budget to Peter.", [1], False),
        ("Bob does not send the budget draft to Maria.", [1], False),
        ("The draft is reviewed on Tuesday.", [2], True),
        ("The draft is reviewed on Thursday.", [2], False),
        ("The holidays begin soon.", [2], False),
        ("The mobile application crashed.", [99], False),
        ("The mobile application crashed.", [-1], False),
        ("The mobile application crashed.", [], False),
    ],
)
def test_a_claim_is_held_against_its_lines(claim: str, cited: list[int], *, is_right: bool) -> None:
    assert Evidence(TALK).check(claim, cited).is_verified is is_right


def test_a_quote_is_found_beside_the_cited_line_and_shown_as_it_stands() -> None:
    claim = Evidence(TALK).check("The draft goes to Maria", [2], "the budget draft to MARIA")
    assert claim.is_verified
    assert (claim.sources[0].line, claim.sources[0].quote) == (1, "the budget draft to Maria")


def test_a_translated_claim_needs_its_numbers_and_names() -> None:
    evidence = Evidence(TALK, language="de", translated=True)
    assert evidence.check("Die Anwendung kostet 45000 Euro", [0], "forty five thousand euros").is_verified
    assert not evidence.check("Die Anwendung kostet 54000 Euro", [0], "forty five thousand euros").is_verified


def test_compact_lines_are_numbered_and_explained() -> None:
    legend, texts = write_compactly(
        [*TALK[:2], NumberedLine("Bob", " ", 9, 9), NumberedLine("Bob", "w " * 1500, 9, 99)]
    )
    assert legend == "Speakers: A = Alice, B = Bob"
    assert texts[1] == "[2] B: I'll send the budget draft to Maria by Friday."
    assert numbers_of("\n".join(texts)) == {0, 1, 3}
    assert sum(text.startswith("[4] B: ") for text in texts) > 1


@pytest.mark.parametrize(
    ("language", "said", "meant"),
    [
        ("de", "Wir treffen uns am 19. Juni um 9:30 Uhr im Büro.", "2026-06-19 09:30"),
        ("de", "Morgen um 10 Uhr sprechen wir weiter.", "2026-03-12 10:00"),
        ("de", "Der Termin ist am 5.4.2026 um 14 Uhr.", "2026-04-05 14:00"),
        ("fr", "Rendez-vous le 3 juin à 14h30.", "2026-06-03 14:30"),
        ("es", "La reunión es el 5 de mayo a las 10:00.", "2026-05-05 10:00"),
        ("de", "Ich habe drei Kinder und 5 Autos.", None),
        ("fr", "Nous avons mangé 3 pommes.", None),
        ("xx", "Le 3 juin.", None),
    ],
)
def test_dates_in_other_languages(language: str, said: str, meant: str | None) -> None:
    found = [f"{date.start:%Y-%m-%d %H:%M}" for date in find_foreign_dates(said, MOMENT, language)]
    assert found == ([meant] if meant else [])


def test_a_german_talk_is_read_by_the_line() -> None:
    lines = [NumberedLine("A", "Wir treffen uns am 19. Juni um 9:30 Uhr. Bis dann.", 0, 4)]
    (event,) = extract(lines, spoken_language="de").events
    assert (event.start, event.has_time) == (datetime(2026, 6, 19, 9, 30, tzinfo=MOMENT.tzinfo), True)
