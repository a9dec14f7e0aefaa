"""Quote the place of a match: plain text, escaped for HTML, with the match marked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from speakr.domain.search import Term
from speakr.domain.words import located_words

MAX_QUOTE_LENGTH = 200
_BEFORE = 60
"""Characters before the first mark, if there are more than fit."""


def quote(text: str, terms: Sequence[Term]) -> str:
    """Return about `MAX_QUOTE_LENGTH` characters of a text around its matches, escaped for HTML."""
    marks = _marks(text, terms)
    begin, end = _window(text, marks)
    pieces = ["…" if begin else ""]
    at = begin
    for first, last in marks:
        if first >= end:
            break
        if first < begin:
            continue
        pieces += [escape(text[at:first]), "<mark>", escape(text[first : min(last, end)]), "</mark>"]
        at = min(last, end)
    pieces += [escape(text[at:end]), "…" if end < len(text) else ""]
    return "".join(pieces).strip()


def _marks(text: str, terms: Sequence[Term]) -> list[tuple[int, int]]:
    """Return the positions of the terms, in order and without overlaps."""
    words = located_words(text)
    places: dict[str, list[int]] = {}
    for at, (word, _, _) in enumerate(words):
        places.setdefault(word, []).append(at)
    found = [
        (words[at][1], words[at + len(term.words) - 1][2])
        for term in terms
        for at in _beginnings(term, places)
        if _is_at(words, at, term)
    ]
    joined: list[tuple[int, int]] = []
    for first, last in sorted(found):
        if joined and first < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return joined


def _beginnings(term: Term, places: Mapping[str, Sequence[int]]) -> Iterable[int]:
    """Return the possible starts of a term: those of its first word."""
    first = term.words[0]
    if term.is_prefix and len(term.words) == 1:
        return (at for word, found in places.items() if word.startswith(first) for at in found)
    return places.get(first, ())


def _is_at(words: Sequence[tuple[str, int, int]], at: int, term: Term) -> bool:
    if at + len(term.words) > len(words):
        return False
    *whole, last = term.words
    if any(words[at + n][0] != word for n, word in enumerate(whole)):
        return False
    found = words[at + len(whole)][0]
    return found.startswith(last) if term.is_prefix else found == last


def _window(text: str, marks: Sequence[tuple[int, int]]) -> tuple[int, int]:
    if len(text) <= MAX_QUOTE_LENGTH:
        return 0, len(text)
    first = marks[0][0] if marks else 0
    begin = min(max(0, first - _BEFORE), len(text) - MAX_QUOTE_LENGTH)
    if begin:
        # Start with a whole word, unless that is beyond the mark: not every script has spaces.
        blank = text.find(" ", begin, first)
        begin = blank + 1 if blank >= 0 else begin
    end = min(len(text), begin + MAX_QUOTE_LENGTH)
    if end < len(text):
        blank = text.rfind(" ", max(begin, end - _BEFORE, marks[0][1] if marks else 0), end)
        end = blank if blank > 0 else end
    return begin, end
