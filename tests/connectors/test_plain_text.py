"""Bare tokens written as readable English."""

from __future__ import annotations

import pytest

from speakr.connectors.transcription.plain_text import write_text
from speakr.domain.transcript import Word


def said(text: str) -> list[Word]:
    """Return words of 0.2 s; "|" is a pause of 0.3 s, "||" one of 0.6 s."""
    words, now = [], 0.0
    for token in text.split():
        if set(token) == {"|"}:
            now += 0.3 * len(token)
        else:
            words.append(Word(token, now, now + 0.2))
            now += 0.2
    return words


@pytest.mark.parametrize(
    ("spoken", "written"),
    [
        ("hello there", "Hello there."),
        ("who is coming", "Who is coming?"),
        ("i think i'm late || so did you wait", "I think I'm late. So did you wait."),
        ("that is all || did you wait", "That is all. Did you wait?"),
        ("on monday | not in march", "On Monday, not in March."),
        ("we may march on tuesday's date", "We may march on Tuesday's date."),
        ("since may mr and mrs smith", "Since May Mr and Mrs Smith".replace("Smith", "smith") + "."),
        ("at nine p.m.", "At nine p.m."),
        ("can we meet at nine p.m.", "Can we meet at nine p.m.?"),
        ("yes | yes", "Yes, yes."),
    ],
)
def test_written(spoken: str, written: str):
    assert write_text(said(spoken)) == written


def test_the_words_themselves_stay_bare():
    words = said("i go")
    write_text(words)
    assert [word.text for word in words] == ["i", "go"]
