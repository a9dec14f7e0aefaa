"""Corrected text aligned with the words that were recognised, so that it keeps their times.

Words are compared without case and punctuation. Equal words keep their times, a replaced run shares the time of the
run it replaces in proportion to characters, and inserted words share the gap between their neighbours.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from speakr.domain.sequence_diff import matches
from speakr.domain.transcript import Word

_SPACELESS = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Myanmar, Khmer
    "\u3005-\u3007\u3040-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003fffd]"
)
"""Scripts that are written without spaces: each of their characters is a token. Korean has spaces."""
_CHUNK = re.compile(r"\S+")
_MAX_KEY_LENGTH = 200
"""Characters of a word that are compared."""


def is_spaceless(character: str) -> bool:
    """Tell whether a character is of a script without spaces."""
    return _SPACELESS.match(character) is not None


class Token(NamedTuple):
    """A word of a text, or a character of a script without spaces; `start` and `end` are offsets in the text."""

    text: str
    key: str
    start: int
    end: int


class _Unit(NamedTuple):
    """A recognised word, or one of several tokens in it with its share of the time in seconds."""

    key: str
    start: float
    end: float
    word: int
    is_last: bool


class _Letters(dict[int, int | None]):
    """A table for `str.translate` that keeps letters, marks and numbers."""

    def __missing__(self, code: int) -> int | None:
        kept = self[code] = code if unicodedata.category(chr(code))[0] in "LMN" else None
        return kept


_letters = _Letters()


@lru_cache(maxsize=20_000)
def _key(word: str) -> str:
    """Return by what words are compared; what is punctuation alone, or an emoji, stays as it is."""
    word = word[:_MAX_KEY_LENGTH]
    return unicodedata.normalize("NFKC", word).casefold().translate(_letters) or word


def count_tokens(text: str) -> int:
    """Return about how many tokens a text has, without making them; `tokens_of` makes at most twice as many."""
    return len(text.split()) + (0 if text.isascii() else _SPACELESS.subn("", text)[1])


def tokens_of(text: str) -> list[Token]:
    """Return the tokens of a text; punctuation and combining marks belong to the character before them."""
    found: list[Token] = []
    is_plain = text.isascii() or _SPACELESS.search(text) is None
    for chunk in _CHUNK.finditer(text):
        word, (first, last) = chunk[0], chunk.span()
        if is_plain:
            found.append(Token(word, _key(word), first, last))
            continue
        cuts = [0, *_starts_within(word), last - first]
        found += [Token(word[a:b], _key(word[a:b]), first + a, first + b) for a, b in pairwise(cuts)]
    return found


def _starts_within(part: str) -> list[int]:
    """Return where tokens start inside a chunk, after its first character."""
    starts = []
    was_spaceless, has_letter = False, False
    for at, character in enumerate(part):
        category = unicodedata.category(character)[0]
        if category not in "LN":
            continue
        stands_alone = is_spaceless(character)
        if has_letter and (stands_alone or was_spaceless):
            starts.append(at)
        was_spaceless, has_letter = stands_alone, True
    return starts


def one_line(text: str) -> str:
    """Return a text with single spaces and no line breaks, as segments are kept."""
    return " ".join(text.split())


def align(old: Sequence[Word], text: str, start: float, end: float) -> tuple[Word, ...]:
    """Return the words of a corrected text with their times; `start` and `end` are those of its segment in seconds.

    Words that were not recognised carry `edited` and no probability.
    """
    units = _units(old)
    tokens = tokens_of(text)
    pairs = matches([unit.key for unit in units], [token.key for token in tokens])
    words: list[Word] = []
    at_old = at_new = 0
    borders = _Borders(start, end)
    for run in _whole_words(units, pairs):
        first_old, first_new = run[0]
        if first_new > at_new:
            words += _filled(tokens[at_new:first_new], *_room(units, at_old, first_old, borders))
        words.append(_kept(old, units, text, tokens, run))
        at_old, at_new = run[-1][0] + 1, run[-1][1] + 1
    words += _filled(tokens[at_new:], *_room(units, at_old, len(units), borders))
    return tuple(words)


class _Borders(NamedTuple):
    start: float
    end: float


def _units(words: Sequence[Word]) -> list[_Unit]:
    units: list[_Unit] = []
    for number, word in enumerate(words):
        tokens = tokens_of(word.text)
        if len(tokens) == 1:
            units.append(_Unit(tokens[0].key, word.start, word.end, number, is_last=True))
            continue
        spans = _spans([len(token.text) for token in tokens], word.start, word.end)
        for at, (token, span) in enumerate(zip(tokens, spans, strict=True)):
            units.append(_Unit(token.key, *span, number, at + 1 == len(tokens)))
    return units


def _whole_words(units: Sequence[_Unit], pairs: Sequence[tuple[int, int]]) -> list[Sequence[tuple[int, int]]]:
    """Return the pairs in runs: all of a word that was kept whole, or a single token."""
    runs: list[Sequence[tuple[int, int]]] = []
    at = 0
    while at < len(pairs):
        first = pairs[at]
        length = 1
        if first[0] == 0 or units[first[0] - 1].is_last:
            while (
                at + length < len(pairs)
                and not units[pairs[at + length - 1][0]].is_last
                and pairs[at + length] == (first[0] + length, first[1] + length)
            ):
                length += 1
            if not units[first[0] + length - 1].is_last:
                length = 1
        runs.append(pairs[at : at + length])
        at += length
    return runs


def _kept(
    old: Sequence[Word],
    units: Sequence[_Unit],
    text: str,
    tokens: Sequence[Token],
    run: Sequence[tuple[int, int]],
) -> Word:
    (first, at), (last, end) = run[0], run[-1]
    shown = tokens[at].text if at == end else one_line(text[tokens[at].start : tokens[end].end])
    if units[last].is_last and (first == 0 or units[first - 1].is_last):
        word = old[units[first].word]
        return word if word.text == shown else replace(word, text=shown)
    return Word(shown, units[first].start, units[last].end, None, edited=True)


def _room(units: Sequence[_Unit], first: int, end: int, borders: _Borders) -> tuple[float, float]:
    """Return the time for new words between two kept ones: that of the units they replace, or the gap."""
    if first < end:
        starts = units[first].start
        return starts, max(starts, units[end - 1].end)
    after = units[end].start if end < len(units) else max(borders.end, units[-1].end if units else 0.0)
    before = units[first - 1].end if first else min(borders.start, after)
    return min(before, after), after


def _filled(tokens: Sequence[Token], start: float, end: float) -> list[Word]:
    spans = _spans([len(token.text) for token in tokens], start, end)
    return [Word(token.text, *span, None, edited=True) for token, span in zip(tokens, spans, strict=True)]


def _spans(lengths: Sequence[int], start: float, end: float) -> list[tuple[float, float]]:
    """Share a stretch of time in proportion to lengths; to the millisecond, and never outside it."""
    total = sum(lengths)
    borders, passed = [start], 0
    for length in lengths[:-1]:
        passed += length
        borders.append(min(max(round(start + (end - start) * passed / total, 3), start), end))
    borders.append(end)
    return list(pairwise(borders)) if lengths else []
