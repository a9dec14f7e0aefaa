"""The history of a transcript as deltas: of each change the segments that it replaced, compressed.

A delta leads from a revision back to the one before it. An older text is read by applying the deltas to the present
one, newest first, so that a correction costs what it changes, and reading the present text costs nothing.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from speakr.domain.sequence_diff import matches
from speakr.domain.transcript import Word
from speakr.domain.word_alignment import tokens_of

_SEGMENTS_PER_LINE = 500
_SEGMENTS_PER_PART = 500
_MAX_PARTS_TOGETHER = 4
_CONTINUED = -1
"""In place of a position: the segments belong to the hunk before."""


class RevisionKind(StrEnum):
    """What changed a transcript."""

    TRANSCRIBED = "transcribed"
    TEXT = "text"
    SEGMENTS = "segments"
    SEGMENT = "segment"
    SPEAKER = "speaker"
    SPLIT = "split"
    MERGE = "merge"
    DELETE = "delete"
    REPLACE = "replace"
    UNDO = "undo"
    REDO = "redo"
    RESTORE = "restore"


@dataclass(frozen=True, slots=True)
class StoredSegment:
    """A segment as its row keeps it, words included. `id` is None until it is stored."""

    id: int | None
    start: float
    end: float
    text: str
    speaker: str
    confidence: float | None
    overlap: bool
    words: Sequence[Sequence[Any]]
    """[text, start, end, probability] each, and true behind these if a person wrote the word."""

    def spoken_words(self) -> list[Word]:
        """Return the words as records."""
        return [Word(*row) for row in self.words]


def word_rows(words: Iterable[Word]) -> list[list[Any]]:
    """Return words as segments keep them."""
    return [
        [word.text, word.start, word.end, word.probability, *([True] if word.edited else [])]
        for word in words
    ]


class Hunk(NamedTuple):
    """`size` segments from `at` on replace the segments `old`."""

    at: int
    size: int
    old: list[StoredSegment]


def changes_between(old: Sequence[StoredSegment], new: Sequence[StoredSegment]) -> list[Hunk]:
    """Return what has to be put back into `new` to get `old`."""
    known = {id(segment): number for number, segment in enumerate(old)}
    by_id = {segment.id: number for number, segment in enumerate(old)}
    keys: list[int] = []
    for segment in new:
        number = known.get(id(segment), by_id.get(segment.id, -1))
        is_same = number >= 0 and (old[number] is segment or old[number] == segment)
        keys.append(number if is_same else -1)
    hunks = []
    at_old = at_new = 0
    for same_old, same_new in [*matches(range(len(old)), keys), (len(old), len(new))]:
        if same_old > at_old or same_new > at_new:
            hunks.append(Hunk(at_new, same_new - at_new, list(old[at_old:same_old])))
        at_old, at_new = same_old + 1, same_new + 1
    return hunks


def text_of(segments: Sequence[StoredSegment]) -> str:
    """Return what is said in segments."""
    return " ".join(segment.text for segment in segments)


def cut(hunk: Hunk, new: Sequence[StoredSegment]) -> Iterator[tuple[Hunk, Sequence[StoredSegment]]]:
    """Yield a hunk with the segments that replace it; a long one in parts, cut at equal proportions.

    Comparing all words of a long transcript at once would need hundreds of megabytes. Words that moved from one part
    to another count as removed and added.
    """
    count = -(-max(hunk.size, len(hunk.old)) // _SEGMENTS_PER_PART)
    if count <= _MAX_PARTS_TOGETHER:
        count = 1
    for part in range(count):
        old = [len(hunk.old) * (part + step) // count for step in (0, 1)]
        at = [hunk.at + hunk.size * (part + step) // count for step in (0, 1)]
        yield Hunk(at[0], at[1] - at[0], hunk.old[old[0] : old[1]]), new[at[0] : at[1]]


def put_back(segments: Sequence[StoredSegment], hunks: Sequence[Hunk]) -> list[StoredSegment]:
    """Return the segments before the changes."""
    before = list(segments)
    for hunk in reversed(hunks):
        before[hunk.at : hunk.at + hunk.size] = hunk.old
    return before


def packed(hunks: Sequence[Hunk]) -> bytes:
    """Return changes as they are stored: lines of JSON lists, each list with some hunks or parts of one."""
    return _compressed(_lines_of_hunks(hunks))


def _lines_of_hunks(hunks: Sequence[Hunk]) -> Iterator[Any]:
    line: list[Any] = []
    size = 0
    for hunk in hunks:
        for first in range(0, max(len(hunk.old), 1), _SEGMENTS_PER_LINE):
            old = [_to_json(each) for each in hunk.old[first : first + _SEGMENTS_PER_LINE]]
            line.append([_CONTINUED if first else hunk.at, hunk.size, old])
            size += len(old) + 1
            if size >= _SEGMENTS_PER_LINE:
                yield line
                line, size = [], 0
    yield line


def unpacked(stored: bytes) -> list[Hunk]:
    """Return changes as they were before `packed`."""
    hunks: list[Hunk] = []
    for line in _lines(stored):
        for at, size, old in line:
            segments = [StoredSegment(*each) for each in old]
            if at == _CONTINUED:
                hunks[-1].old.extend(segments)
            else:
                hunks.append(Hunk(at, size, segments))
    return hunks


def packed_segments(segments: Sequence[StoredSegment]) -> bytes:
    """Return a whole transcript as it is stored: lines of JSON lists of segments."""
    return _compressed(
        [_to_json(each) for each in segments[first : first + _SEGMENTS_PER_LINE]]
        for first in range(0, max(len(segments), 1), _SEGMENTS_PER_LINE)
    )


def unpacked_segments(stored: bytes) -> list[StoredSegment]:
    """Return a transcript as it was before `packed_segments`."""
    return [StoredSegment(*each) for line in _lines(stored) for each in line]


def _to_json(segment: StoredSegment) -> list[Any]:
    return [
        segment.id,
        segment.start,
        segment.end,
        segment.text,
        segment.speaker,
        segment.confidence,
        segment.overlap,
        segment.words,
    ]


def _compressed(lines: Iterable[Any]) -> bytes:
    """Return lines of JSON, compressed. Each call of `json` keeps the interpreter until it ends, so lines are short."""
    packing = zlib.compressobj(6)
    pieces = []
    for number, line in enumerate(lines):
        text = json.dumps(line, ensure_ascii=False, separators=(",", ":"))
        pieces.append(packing.compress(f"{chr(10) if number else ''}{text}".encode()))
    return b"".join([*pieces, packing.flush()])


def _lines(stored: bytes) -> Iterator[Any]:
    for line in zlib.decompress(stored).split(b"\n"):
        yield json.loads(line)


class WordChange(NamedTuple):
    """Words in a row that stayed (`equal`), came (`insert`) or went (`delete`)."""

    change: str
    text: str


def word_diff(old: str, new: str) -> list[WordChange]:
    """Return the changes of a text, word by word; a word whose case or punctuation changed goes and comes."""
    before, after = tokens_of(old), tokens_of(new)
    pairs = matches([token.text for token in before], [token.text for token in after])
    pieces: list[tuple[str, int, int]] = []
    at_old = at_new = 0
    for same_old, same_new in [*pairs, (len(before), len(after))]:
        if same_old > at_old:
            pieces.append(("delete", at_old, same_old))
        if same_new > at_new:
            pieces.append(("insert", at_new, same_new))
        at_old, at_new = same_old + 1, same_new + 1
        if same_new == len(after):
            break
        if pieces and pieces[-1][0] == "equal":
            pieces[-1] = ("equal", pieces[-1][1], at_new)
        else:
            pieces.append(("equal", same_new, at_new))
    return [
        WordChange(change, old[before[first].start : before[end - 1].end])
        if change == "delete"
        else WordChange(change, new[after[first].start : after[end - 1].end])
        for change, first, end in pieces
    ]


def count_words(changes: Iterable[WordChange]) -> tuple[int, int]:
    """Return how many words came and how many went."""
    added = removed = 0
    for change in changes:
        if change.change != "equal":
            number = len(tokens_of(change.text))
            added += number if change.change == "insert" else 0
            removed += number if change.change == "delete" else 0
    return added, removed
