"""The words of a line that are shown as the source of a statement."""

from __future__ import annotations

from collections.abc import Collection

from speakr.connectors.language.lines import one_line
from speakr.connectors.language.sentences import find_words, split_sentences
from speakr.domain.statements import NumberedLine

MAX_QUOTE_LENGTH = 300


def quote_from(line: NumberedLine, wanted: Collection[str]) -> str:
    """Return a line's text, or of a long one the sentence that shares most words with `wanted` (in lower case)."""
    text = one_line(line.text)
    if len(text) <= MAX_QUOTE_LENGTH:
        return text
    sentences = [sentence.text for sentence in split_sentences([line])]
    best = max(sentences, key=lambda sentence: len(set(wanted).intersection(find_words(sentence))))
    return _cut(best)


def _cut(text: str) -> str:
    """Cut a text between words and add nothing: a quote must stand in its line."""
    if len(text) <= MAX_QUOTE_LENGTH:
        return text
    head = text[:MAX_QUOTE_LENGTH]
    return head if text[MAX_QUOTE_LENGTH] == " " or " " not in head else head.rsplit(" ", maxsplit=1)[0]
