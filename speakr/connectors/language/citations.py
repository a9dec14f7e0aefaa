"""Numbered lines for a model to cite, and the citations it makes, checked.

A model is shown `[12] 03:12 Alice: text` and cites `[12]`. Readers see no line numbers, so in the answer each
citation becomes the position of its source: `[1]`, `[2]` and so on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from speakr.connectors.language.lines import clock_time, one_line, who
from speakr.connectors.language.quotes import quote_from
from speakr.connectors.language.sentences import find_words
from speakr.domain.statements import MAX_SOURCES, NumberedLine, Source

MAX_RANGE_LENGTH = 10
MAX_NUMBERED_TEXT_LENGTH = 2000
"""In characters. A longer line is shown in pieces, each with the line's number, so that no cut loses it."""

CITATION = re.compile(
    r"""
    ([ \t]*) [\[【] (?:lines?[ ]|L)?                                    # [12], 【12】, [line 12], [L12]
    (\d{1,7} (?:\s*[–-]\s*\d{1,7})? (?:\s*[,;]\s* \d{1,7} (?:\s*[–-]\s*\d{1,7})? )*)
    [\]】] (?!\()                                                      # not [12](https://...)
    """,  # noqa: RUF001 - ranges are written with dashes
    re.IGNORECASE | re.VERBOSE,
)
_RANGE = re.compile(r"(\d+)(?:\s*[–-]\s*(\d+))?")  # noqa: RUF001 - as above


def number_lines(lines: Sequence[NumberedLine]) -> list[str]:
    """Write lines for a model, numbered from 1; lines without a word are left out and keep their numbers."""
    return [
        f"[{number}] {clock_time(line.start)} {who(line)}: {piece}"
        for number, line in enumerate(lines, start=1)
        for piece in pieces(one_line(line.text))
    ]


def pieces(text: str) -> Iterator[str]:
    """Yield a line's text, or what it is cut into if it is long; nothing if it is empty."""
    while len(text) > MAX_NUMBERED_TEXT_LENGTH:
        cut = text.rfind(" ", MAX_NUMBERED_TEXT_LENGTH // 2, MAX_NUMBERED_TEXT_LENGTH)
        cut = cut if cut > 0 else MAX_NUMBERED_TEXT_LENGTH
        yield text[:cut]
        text = text[cut:].lstrip()
    if text:
        yield text


def resolve_citations(answer: str, lines: Sequence[NumberedLine]) -> tuple[str, list[Source]]:
    """Return the answer with its citations renumbered, and their sources in order of appearance.

    A citation of a line that does not exist, or is empty, is removed: no reader could follow it.
    """
    wanted = frozenset(find_words(answer))
    sources: dict[int, Source] = {}

    def renumber(citation: re.Match[str]) -> str:
        places = []
        for number in _numbers(citation[2]):
            at = number - 1
            if at not in sources:
                if not 0 <= at < len(lines) or not lines[at].text.strip() or len(sources) == MAX_SOURCES:
                    continue
                sources[at] = Source(at, quote_from(lines[at], wanted))
            places.append(f"[{list(sources).index(at) + 1}]")
        return citation[1] + "".join(dict.fromkeys(places)) if places else ""

    return CITATION.sub(renumber, answer).strip(), list(sources.values())


def cited_lines(citation: re.Match[str]) -> list[int]:
    """Return the positions (from 0) of the lines that a match of `CITATION` names, whether they exist or not."""
    return [number - 1 for number in _numbers(citation[2])]


def strip_citations(text: str) -> str:
    """Return an earlier answer without its citations: the numbers meant its sources, and now would mean lines."""
    return CITATION.sub("", text)


def _numbers(cited: str) -> Iterator[int]:
    """Yield the numbers of `3`, `3, 5` and `3-5`; of a range too long to be meant, its ends."""
    for match in _RANGE.finditer(cited):
        first, last = int(match[1]), int(match[2] or match[1])
        yield from range(first, last + 1) if 0 <= last - first < MAX_RANGE_LENGTH else (first, last)
