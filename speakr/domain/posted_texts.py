"""Texts that users post to have them summarised or to ask about them, and the formats of their summaries."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Final

from speakr.domain.statements import NumberedLine

MAX_SEGMENTS: Final = 10_000
MAX_TEXT_LENGTH: Final = 1_000_000
"""Characters of a posted text."""
MAX_WORDS: Final = 5_000
"""Words that a summary may be asked to have."""
MAX_TOPICS: Final = 10
_MAX_LINE_LENGTH = 1_000
"""Characters of a line that engines read; longer ones are cut between sentences or words."""

_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+|\n+")
_BULLET = re.compile(r"^\s*(?:[-*•\u2013]|\d+[.)])\s+")
_HEADING = re.compile(r"^#+\s*")


class SummaryFormat(StrEnum):
    """The form of a summary."""

    PARAGRAPH = "paragraph"
    """Running text."""
    BULLET_POINTS = "bullet_points"
    """What was said, in its order: lines that begin with `- `."""
    KEY_POINTS = "key_points"
    """What matters most: numbered lines."""


_INSTRUCTIONS: Mapping[SummaryFormat, str] = {
    SummaryFormat.PARAGRAPH: "Write running text in one to three paragraphs, without headings, lists or emphasis.",
    SummaryFormat.BULLET_POINTS: "Write only a list in the order of the transcript; each line begins with '- '. No headings.",
    SummaryFormat.KEY_POINTS: (
        "Write only the points that matter most, the most important first, as a numbered list ('1. '). No headings."
    ),
}


def instructions_for(form: SummaryFormat, max_words: int) -> str:
    """Return what to ask a language model for."""
    return f"{_INSTRUCTIONS[form]} Use at most {max_words} words."


def write_summary(statements: Sequence[str], form: SummaryFormat, max_words: int) -> str:
    """Write statements in a format; those that do not fit are left out, of the first one its end."""
    kept = list(_fitting(statements, max_words))
    if form is SummaryFormat.PARAGRAPH:
        return " ".join(kept)
    marks = (
        "- " if form is SummaryFormat.BULLET_POINTS else f"{number}. " for number in range(1, len(kept) + 1)
    )
    return "\n".join(f"{mark}{text}" for mark, text in zip(marks, kept, strict=False))


def _fitting(statements: Sequence[str], max_words: int) -> Iterator[str]:
    left = max_words
    for number, statement in enumerate(statements):
        words = statement.split()
        if len(words) > left:
            if not number:
                yield " ".join(words[:left])
            return
        left -= len(words)
        yield " ".join(words)


def statements_of(markdown: str, form: SummaryFormat) -> list[str]:
    """Return the statements of a model's summary: its sentences, or its lines without marks. Headings are left out of lists."""
    lines = [line for line in markdown.splitlines() if line.strip()]
    if form is SummaryFormat.PARAGRAPH:
        text = " ".join(_HEADING.sub("", _BULLET.sub("", line)).strip() for line in lines)
        return [sentence for sentence in _SENTENCE_END.split(text) if sentence]
    return [_BULLET.sub("", line).strip() for line in lines if not _HEADING.match(line)]


def lines_of_text(text: str) -> list[NumberedLine]:
    """Return a text without times in the form that engines read: a line per sentence."""
    return [NumberedLine("", piece, 0.0) for piece in _pieces(text)]


def lines_of_segments(segments: Iterable[Mapping[str, object]]) -> list[NumberedLine]:
    """Return posted segments (`text`, and maybe `start`, `end` in seconds and `speaker`) in that form."""
    return [
        NumberedLine(
            str(segment.get("speaker") or ""),
            piece,
            _seconds(segment.get("start")) or 0.0,
            _seconds(segment.get("end")),
        )
        for segment in segments
        for piece in _pieces(str(segment["text"]))
    ]


def _seconds(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _pieces(text: str) -> Iterator[str]:
    for sentence in _SENTENCE_END.split(text):
        line = ""
        for word in sentence.split():
            if line and len(line) + len(word) >= _MAX_LINE_LENGTH:
                yield line
                line = ""
            line = f"{line} {word}" if line else word
        if line:
            yield line


def count_words(text: str) -> int:
    """Return the number of words, without the marks of lists."""
    return sum(len(_BULLET.sub("", line).split()) for line in text.splitlines())
