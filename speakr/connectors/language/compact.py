"""A transcript written for a model in as few tokens as its numbers and speakers allow.

`[12] A: text`: a letter for each speaker, explained once, and no times: a line's number leads to its time. Against
`[12] 03:12 SPEAKER_00: text` it saves about a quarter of the tokens of a conversation in short turns.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Sequence
from itertools import count

from speakr.connectors.language.citations import pieces
from speakr.connectors.language.lines import one_line
from speakr.domain.statements import NumberedLine

_NUMBER = re.compile(r"^\[(\d+)\]", re.MULTILINE)
MAX_EXPLAINED_SPEAKERS = 60
MAX_SPEAKER_LENGTH = 60


def write_compactly(lines: Sequence[NumberedLine]) -> tuple[str, list[str]]:
    """Return the line that explains the letters, and the numbered lines; those without a word are left out."""
    letters: dict[str, str] = {}
    names = _letters()
    texts = []
    for number, line in enumerate(lines, start=1):
        for piece in pieces(one_line(line.text)):
            speaker = one_line(line.speaker)
            if speaker not in letters:
                letters[speaker] = next(names)
            texts.append(f"[{number}] {letters[speaker]}: {piece}")
    known = list(letters.items())[:MAX_EXPLAINED_SPEAKERS]
    return "Speakers: " + ", ".join(
        f"{letter} = {name[:MAX_SPEAKER_LENGTH]}" for name, letter in known
    ), texts


def numbers_of(text: str) -> set[int]:
    """Return the positions (from 0) of the numbered lines in a text."""
    return {int(number) - 1 for number in _NUMBER.findall(text)}


def _letters() -> Iterator[str]:
    yield from string.ascii_uppercase
    for number in count(1):
        yield f"S{number}"
