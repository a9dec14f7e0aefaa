"""Write about a text that is longer than one request may be: notes on each part, then one text out of the notes.

What is written, a summary or the answer to a question, is the business of the function that asks.

Every line reaches the engine exactly once and nothing is ever cut away silently. The engine is one function,
so that any provider can be behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import Enum

_BYTES_PER_TOKEN = 3
_MIN_PART_TOKENS = 50


class Stage(Enum):
    """What an engine is asked to make of a text."""

    WHOLE = "whole"
    """The whole transcript: write what is wanted."""
    PART = "part"
    """One part of the transcript: take notes."""
    CONDENSE = "condense"
    """Notes on some consecutive parts: shorten them."""
    MERGE = "merge"
    """Notes on all parts: write what is wanted."""


Ask = Callable[[Stage, str], str]


class OutOfRoom(Exception):
    """The engine stopped before its answer was complete; it may manage with less text."""


def estimate_tokens(text: str) -> int:
    """Estimate the tokens of a text, rather too high.

    A third of its UTF-8 bytes: a third of the letters of English, where four letters make a token, and one
    token for each Chinese or Japanese character.
    """
    return -(-len(text.encode()) // _BYTES_PER_TOKEN)


def write_in_parts(texts: Sequence[str], ask: Ask, room_tokens: int) -> str:
    """Return what is written about all the texts, which are lines in order; room_tokens: what one request may carry.

    An OutOfRoom from `ask` halves the part; it comes through when a part cannot be made smaller.
    """
    parts = pack(texts, room_tokens)
    if len(parts) == 1:
        try:
            return ask(Stage.WHOLE, "\n".join(parts[0]))
        except OutOfRoom:
            parts = list(_halve(parts[0]))
    notes = [note for part in parts for note in _take_notes(part, ask)]
    return _merge(notes, ask, room_tokens)


def read_in_parts(texts: Sequence[str], read: Callable[[str], str], room_tokens: int) -> list[str]:
    """Return what `read` makes of each part of the texts; what an OutOfRoom means is said above."""
    parts = pack(texts, room_tokens)
    return [made for part in parts for made in _take_notes(part, lambda _, text: read(text))]


def pack(texts: Sequence[str], room_tokens: int) -> list[list[str]]:
    """Group texts, in order, into parts of at most `room_tokens`; a longer text is split at words."""
    parts: list[list[str]] = []
    used = 0
    for text in texts:
        for piece in _split(text, room_tokens):
            needed = estimate_tokens(piece) + 1  # the line break
            if not parts or used + needed > room_tokens:
                parts.append([])
                used = 0
            parts[-1].append(piece)
            used += needed
    return parts


def _split(text: str, room_tokens: int) -> Iterator[str]:
    """Yield the text whole if it fits, else its halves' pieces."""
    if estimate_tokens(text) < room_tokens or len(text) < 2:  # noqa: PLR2004 - one character has no halves
        yield text
        return
    for half in _cut_in_two(text):
        yield from _split(half, room_tokens)


def _cut_in_two(text: str) -> tuple[str, str]:
    """Cut at the first blank after the middle if it is not far, else in the middle of a word."""
    middle = len(text) // 2
    blank = text.find(" ", middle, middle + middle // 2)
    cut = blank if blank > 0 else middle
    return text[:cut].rstrip(), text[cut:].lstrip()


def _take_notes(part: Sequence[str], ask: Ask) -> list[str]:
    try:
        return [ask(Stage.PART, "\n".join(part))]
    except OutOfRoom:
        return [note for half in _halve(part) for note in _take_notes(half, ask)]


def _halve(part: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split a part in two. Raise OutOfRoom when that would leave nothing worth asking about."""
    if len(part) > 1:
        middle = len(part) // 2
        return list(part[:middle]), list(part[middle:])
    if estimate_tokens(part[0]) < 2 * _MIN_PART_TOKENS:
        raise OutOfRoom
    first, second = _cut_in_two(part[0])
    return [first], [second]


def _merge(notes: list[str], ask: Ask, room_tokens: int) -> str:
    """Condense the notes until they fit one request, then write the outcome out of them.

    An engine that does not condense, or cannot answer at that length, gets its notes back one after the
    other: long, but whole.
    """
    while len(parts := pack(notes, room_tokens)) > 1:
        try:
            shorter = [ask(Stage.CONDENSE, "\n\n".join(part)) for part in parts]
        except OutOfRoom:
            return "\n\n".join(notes)
        if sum(map(estimate_tokens, shorter)) >= sum(map(estimate_tokens, notes)):
            return "\n\n".join(notes)
        notes = shorter
    try:
        return ask(Stage.MERGE, "\n\n".join(notes))
    except OutOfRoom:
        return "\n\n".join(notes)
