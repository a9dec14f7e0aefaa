"""Extractive summaries: honest, in order, and bounded."""

from __future__ import annotations

import random
import re
import string
import time

import pytest

from speakr.connectors.language.base import SummaryRequest
from speakr.connectors.language.embedded import NOTICE, EmbeddedLanguageConnector
from speakr.connectors.language.keyphrases import find_key_phrases
from speakr.connectors.language.lexrank import BLOCK_SENTENCES, pick_sentences
from speakr.connectors.language.sentences import find_words, split_sentences
from speakr.domain.statements import NumberedLine

MEETING = [
    "Good morning, thank you for joining.",
    "The budget for the mobile application is too small.",
    "Yes, I think so too.",
    "We need a larger budget, because the mobile application needs two more developers.",
    "Okay.",
    "The office party was fun, by the way.",
    "Can the developers finish the mobile application before the summer?",
    "Only with the larger budget, I am afraid.",
    "Then let us ask for the larger budget on Monday.",
    "Right, see you then.",
]


@pytest.fixture
def connector() -> EmbeddedLanguageConnector:
    return EmbeddedLanguageConnector()


def request_of(texts: list[str], seconds: float = 10.0) -> SummaryRequest:
    return SummaryRequest(
        lines=[NumberedLine("SPEAKER_00", text, at * seconds) for at, text in enumerate(texts)]
    )


def bullets(markdown: str) -> list[tuple[str, str]]:
    return re.findall(r"^- \[([\d:]+)\] (.+)$", markdown, re.MULTILINE)


def test_a_summary_says_what_it_is_and_picks_what_matters(connector: EmbeddedLanguageConnector):
    summary = connector.summarize(request_of(MEETING))
    assert summary.is_extractive
    assert connector.is_extractive
    assert summary.lines_read == len(MEETING)
    assert summary.markdown.startswith(NOTICE)
    picked = [text for _, text in bullets(summary.markdown)]
    assert picked
    assert set(picked) <= set(MEETING)
    assert [MEETING.index(text) for text in picked] == sorted(MEETING.index(text) for text in picked)
    assert all("budget" in text or "mobile application" in text for text in picked)
    for clock, text in bullets(summary.markdown):
        assert clock == f"{MEETING.index(text) * 10 // 60:02d}:{MEETING.index(text) * 10 % 60:02d}"
    keywords = re.search(r"^\*\*Keywords:\*\* (.+)$", summary.markdown, re.MULTILINE)
    assert keywords
    assert "mobile application" in keywords[1]
    assert "larger budget" in keywords[1]


def test_a_title_names_what_was_spoken_of_repeatedly(connector: EmbeddedLanguageConnector):
    title = connector.write_title(request_of(MEETING)).text
    assert "obile application" in title
    assert title[0].isupper()
    assert len(title) <= 120


def test_times_beyond_an_hour(connector: EmbeddedLanguageConnector):
    summary = connector.summarize(request_of(MEETING, seconds=3600.0))
    assert all(re.fullmatch(r"\d+:00:00", clock) for clock, _ in bullets(summary.markdown))


def test_it_is_deterministic(connector: EmbeddedLanguageConnector):
    assert connector.summarize(request_of(MEETING)) == connector.summarize(request_of(MEETING))


@pytest.mark.parametrize(
    ("texts", "bullet_count", "title"),
    [
        ([], 0, ""),
        (["", "  "], 0, ""),
        (["..."], 1, ""),
        (["Yes."], 1, ""),
        (["Is it you?", "It is."], 2, ""),
        (["The parcel has arrived."], 1, "The parcel has arrived"),
        (["Um, yes.", "The parcel has arrived."], 1, "The parcel has arrived"),
        (["42"], 1, ""),
    ],
)
def test_little_text(connector: EmbeddedLanguageConnector, texts: list[str], bullet_count: int, title: str):
    summary = connector.summarize(request_of(texts))
    assert len(bullets(summary.markdown)) == bullet_count
    assert bool(summary.markdown) == bool(bullet_count)
    assert summary.lines_read == len(texts)
    assert connector.write_title(request_of(texts)).text == title


def test_german_without_a_german_word_list(connector: EmbeddedLanguageConnector):
    texts = [
        "Wir haben heute über die neue Lagerhalle in der Stadt gesprochen.",
        "Die Lagerhalle ist zu klein für die Maschinen und die Leute.",
        "Das ist schade, aber es ist so.",
        "Und die Maschinen sind zu groß für die alte Lagerhalle.",
        "Die Leute und die Maschinen brauchen die neue Lagerhalle in der Stadt.",
        "Na gut, und was ist mit der Kantine?",
    ]
    summary = connector.summarize(request_of(texts))
    assert any("Lagerhalle" in text for _, text in bullets(summary.markdown))
    keywords = summary.markdown.rsplit("**Keywords:**", maxsplit=1)[1].split(",")
    assert any("lagerhalle" in keyword for keyword in keywords)
    assert not {"die", "und", "ist"} & {keyword.strip() for keyword in keywords}


def test_text_without_blanks_between_words(connector: EmbeddedLanguageConnector):
    texts = ["我们今天讨论预算。预算不够。", "新的服务器需要更多预算。", "好的。"]
    picked = [text for _, text in bullets(connector.summarize(request_of(texts)).markdown)]
    assert "我们今天讨论预算。" in picked
    assert connector.write_title(request_of(texts)).text == "我们今天讨论预算"


def test_text_without_punctuation_is_cut_into_readable_bullets(connector: EmbeddedLanguageConnector):
    summary = connector.summarize(
        request_of(["so we talked about the marketing plan and the launch and " * 400])
    )
    assert all(len(text.split()) <= 60 for _, text in bullets(summary.markdown))


def test_a_sentence_over_two_lines_is_one_bullet(connector: EmbeddedLanguageConnector):
    lines = [
        NumberedLine("A", "We will move the", 1.0),
        NumberedLine("A", "warehouse. In June.", 4.0),
        NumberedLine("B", "Good", 5.0),
    ]
    sentences = split_sentences(lines)
    assert [(sentence.text, sentence.start) for sentence in sentences] == [
        ("We will move the warehouse.", 1.0),
        ("In June.", 4.0),
        ("Good", 5.0),
    ]


def test_a_repeated_sentence_is_taken_once(connector: EmbeddedLanguageConnector):
    summary = connector.summarize(request_of([*MEETING, *MEETING, *MEETING]))
    picked = [text for _, text in bullets(summary.markdown)]
    assert len(picked) == len(set(picked))


def test_fifty_thousand_lines_in_bounded_time(connector: EmbeddedLanguageConnector):
    chance = random.Random(5)  # noqa: S311 - test data
    words = ["".join(chance.choices(string.ascii_lowercase, k=chance.randint(3, 9))) for _ in range(5000)]
    said = chance.choices(words, [1 / (at + 1) for at in range(len(words))], k=300_000)
    texts = [" ".join(said[at : at + 6]) + "." for at in range(0, len(said), 6)]
    started = time.process_time()
    summary = connector.summarize(request_of(texts))
    assert time.process_time() - started < 20.0
    assert summary.lines_read == 50_000
    assert 3 <= len(bullets(summary.markdown)) <= 12


def test_blocks_never_grow_beyond_their_bound(monkeypatch: pytest.MonkeyPatch):
    from speakr.connectors.language import lexrank

    sizes: list[int] = []
    measured = lexrank.centrality

    def centrality(similarity):
        sizes.append(len(similarity))
        return measured(similarity)

    monkeypatch.setattr(lexrank, "centrality", centrality)
    sentences = [[f"word{at % 50}", f"word{at % 7}", "topic"] for at in range(5 * BLOCK_SENTENCES + 1)]
    assert len(pick_sentences(sentences, 5)) == 5
    assert len(pick_sentences(sentences, 10**6)) <= BLOCK_SENTENCES
    assert max(sizes) <= BLOCK_SENTENCES


def test_a_sentence_in_the_middle_of_a_long_text_is_found():
    filler = [["lunch", f"dish{at}"] for at in range(3 * BLOCK_SENTENCES)]
    topic = [["contract", "price", "delivery", "customer", "signature", f"page{at}"] for at in range(40)]
    middle = len(filler) // 2
    picked = pick_sentences([*filler[:middle], *topic, *filler[middle:]], 5)
    assert any(middle <= at < middle + len(topic) for at in picked)


def test_key_phrases_stop_at_function_words_and_commas():
    texts = ["the red car, the red car and the blue boat", "a red car of the old captain"]
    phrases = find_key_phrases(texts, frozenset({"the", "and", "a", "of"}), 3)
    assert [(phrase.text, phrase.count) for phrase in phrases] == [
        ("red car", 3),
        ("blue boat", 1),
        ("old captain", 1),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don’t do it, O'Neill!", ["don't", "do", "it", "o'neill"]),  # noqa: RUF001 - typeset text has it
        ("e-mail über 3 Häuser", ["e-mail", "über", "häuser"]),
        ("予算は", ["予算", "算は"]),
        ("한국어 회의", ["한국어", "회의"]),
    ],
)
def test_words_of_many_scripts(text: str, words: list[str]):
    assert find_words(text) == words
