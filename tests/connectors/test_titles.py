"""Titles as models propose them and as we keep them."""

from __future__ import annotations

import pytest

from speakr.connectors.language.titles import clean_title, shorten, take_excerpt


@pytest.mark.parametrize(
    ("proposal", "title"),
    [
        ("Weekly planning", "Weekly planning"),
        ("\n\n## **Weekly planning**\nwith more text", "Weekly planning"),
        ('"Weekly planning."', "Weekly planning"),
        ("„Wochenplanung“", "Wochenplanung"),
        ("Title: Weekly planning", "Weekly planning"),
        ("**Titel:** *Wochenplanung*", "Wochenplanung"),
        ("- Weekly planning", "Weekly planning"),
        ('"Alpha" and "Beta"', '"Alpha" and "Beta"'),
        ("3. Quartal: snake_case und C++", "3. Quartal: snake_case und C++"),
        ("Talk with Dr. Who.", "Talk with Dr. Who."),
        ("-", ""),
        ("", ""),
        ("***\n\n", ""),
    ],
)
def test_clean(proposal: str, title: str):
    assert clean_title(proposal) == title


def test_a_long_title_ends_between_words():
    title = clean_title("A rather long title " * 20)
    assert len(title) <= 120
    assert title.endswith(("title…", "long…", "rather…", "A…"))
    assert shorten("x" * 200, 120) == "x" * 119 + "…"
    assert shorten("x" * 120, 120) == "x" * 120


def test_an_excerpt_of_one_endless_line_has_its_beginning_middle_and_end():
    words = [f"w{number}" for number in range(3000)]
    excerpt = " ".join(take_excerpt([" ".join(words)], 300)).split()
    assert excerpt[0] == "w0"
    assert excerpt[-1] == "w2999"
    assert any(1000 < int(word[1:]) < 2000 for word in excerpt)
    assert len(excerpt) == len(set(excerpt))


def test_what_fits_is_no_excerpt():
    assert take_excerpt(["one", "two"], 100) == ["one", "two"]
