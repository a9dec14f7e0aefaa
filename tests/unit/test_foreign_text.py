"""Control characters of foreign text are removed, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speakr.domain.foreign_text import clean_line, clean_text


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("plain text, a < b & ü 😀", "plain text, a < b & ü 😀"),
        ("a\nb\tc", "a\nb\tc"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("nul\x00, bell\x07, delete\x7f, C1\x84", "nul, bell, delete, C1"),
        ("\x1b[31;1mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://evil.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]unterminated text stays", "unterminated text stays"),
        ("\x1b(Bx\x1bcx\x1b", "xx"),
        ("\x9b31mC1", "31mC1"),
        ("lone \ud83d and \ude00", "lone \ufffd and \ufffd"),
        ("\ud83d\ude00 joined", "😀 joined"),
        ("\ud83dx", "\ufffdx"),
        ("reordered \u202egpj.exe\u202c \u2066x\u2069", "reordered gpj.exe x"),
        ("שלום\u200f \u200eabc \u061c", "שלום\u200f \u200eabc \u061c"),
        ("👨\u200d👩\u200d👧", "👨\u200d👩\u200d👧"),
        ("form\x0cfeed\x0bx\x85y", "form feed x y"),
    ],
)
def test_what_is_removed(text: str, clean: str) -> None:
    assert clean_text(text, 100) == clean


def test_lines_and_lengths() -> None:
    assert clean_line("a\nb\tc\r\nd", 100) == "a b c d"
    assert clean_text("x" * 20, 5) == "xxxxx"
    assert clean_text("\x00" * 20 + "abc", 5) == "abc"


@given(st.text(st.characters(codec=None)))
def test_any_text_becomes_storable_and_stays_so(text: str) -> None:
    clean = clean_text(text, 10_000)
    clean.encode("utf-8")
    assert not any(ord(letter) < 32 and letter not in "\n\t" for letter in clean)
    assert clean_text(clean, 10_000) == clean
