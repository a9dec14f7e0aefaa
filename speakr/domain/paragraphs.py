"""Readable text from segments: paragraphs at pauses, with a capital letter at the start and a mark at the end.

These are the rules that Clio documents for its `WHISPER_FORMAT_TEXT`, `WHISPER_PARAGRAPH_BREAK_SECONDS` and
`WHISPER_MAX_SENTENCE_LENGTH`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

_SENTENCE_MARKS = (".", "!", "?", "…", "。", "！", "？")  # noqa: RUF001 - the full-width ones end Chinese and Japanese sentences
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_SEGMENTS_FACTOR, _TEXT_FACTOR = 2, 1.5
"""How many times the maximum sentence length a paragraph takes, of segments and of text without times."""


class Timed(Protocol):
    """A stretch of speech; times in seconds."""

    @property
    def start(self) -> float:
        """Return when it begins."""

    @property
    def end(self) -> float:
        """Return when it ends."""

    @property
    def text(self) -> str:
        """Return what is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParagraphRules:
    """How text is formatted."""

    break_seconds: float = 2.0
    """A longer pause ends a paragraph."""
    max_sentence_length: int = 150
    """In characters. A paragraph of segments ends when it is longer than twice this."""
    is_on: bool = True
    """Off: the text stays as it was recognised."""


def of_segments(segments: Sequence[Timed], rules: ParagraphRules, *, is_edited: bool = False) -> str:
    """Return the text of segments in paragraphs with a blank line between.

    is_edited: a person has corrected the text, so that nothing is capitalised and no full stop is added.
    """
    if not rules.is_on:
        return " ".join(text for each in segments if (text := each.text.strip()))
    paragraphs = _paragraphs(segments, rules)
    return "\n\n".join(paragraphs if is_edited else map(_finished, paragraphs))


def of_text(text: str, rules: ParagraphRules) -> str:
    """Return a text without times in paragraphs: sentences, until a paragraph would be too long."""
    if not rules.is_on:
        return text
    paragraphs: list[str] = []
    longest = _TEXT_FACTOR * rules.max_sentence_length
    current = ""
    for sentence in _SENTENCE_END.split(_tidy(text)):
        current = f"{current} {sentence}".strip()
        if len(current) > longest:
            paragraphs.append(current)
            current = ""
    return "\n\n".join(_finished(each) for each in [*paragraphs, current] if each)


def _paragraphs(segments: Sequence[Timed], rules: ParagraphRules) -> Iterator[str]:
    longest = _SEGMENTS_FACTOR * rules.max_sentence_length
    parts: list[str] = []
    length, last_end = 0, 0.0
    for each in segments:
        if parts and (each.start - last_end > rules.break_seconds or length > longest):
            yield " ".join(parts)
            parts, length = [], 0
        last_end = each.end
        if text := _tidy(each.text):
            length += len(text) + bool(parts)
            parts.append(text)
    if parts:
        yield " ".join(parts)


def _tidy(text: str) -> str:
    return " ".join(text.split())


def _finished(paragraph: str) -> str:
    """Return a paragraph with a capital letter at the start and a mark at the end."""
    ends = paragraph.endswith(_SENTENCE_MARKS)
    return f"{paragraph[0].upper()}{paragraph[1:]}{'' if ends else '.'}"
