"""Find the code in a Markdown text: code spans and fenced blocks (CommonMark 0.31, sections 4.5 and 6.1).

Only code that every viewer shows as code is found. Where another construct may contain a backtick (the target of a link, a
formula, a cell of a table), the rest of the paragraph counts as text.
"""

from __future__ import annotations

import re

MAX_EXAMINED = 2_000
"""Runs of backticks, and lines with fences, that are examined. Whatever follows counts as text."""

_FENCE = re.compile(r"^( {0,3})(`{3,}|~{3,})(.*)$", re.MULTILINE)
_TICKS = re.compile(r"`+")
_LOOK_BACK = 4
_SIMPLE_TARGET = r"""[^\s()`<>"']*(?: "[^"`\n]*")?\)"""
_DOUBT = re.compile(rf"\]\((?!{_SIMPLE_TARGET})|\]\[|\[\^|\[\[|\$")
"""What may contain a backtick that neither opens nor ends a code span."""


def ranges(text: str) -> list[tuple[int, int]]:
    """Return the places of all code in a text, in order: (start, end)."""
    if ("`" not in text and "~~~" not in text) or "\r" in text:
        return []
    fences = _fenced(text)
    found: list[tuple[int, int]] = []
    start = 0
    for begin, end in (*fences, (len(text), len(text))):
        found += _spans(text, start, begin, MAX_EXAMINED - len(found))
        if end > begin:
            found.append((begin, end))
        start = end
    return found


def _fenced(text: str) -> list[tuple[int, int]]:
    """Return the fenced blocks up to the first fence that viewers may understand differently."""
    found: list[tuple[int, int]] = []
    opening: re.Match[str] | None = None
    for count, match in enumerate(_FENCE.finditer(text)):
        if count >= MAX_EXAMINED:
            break
        indent, fence, rest = match.groups()
        if opening is None:
            # An indented fence may belong to an item of a list, and would end with it.
            if indent or "`" in rest:
                break
            opening = match
        elif fence.startswith(opening[2]) and not rest.strip(" \t"):
            found.append((opening.start(), match.end()))
            opening = None
    return found


def _spans(text: str, position: int, end: int, limit: int) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for _ in range(limit):
        opening = _TICKS.search(text, position, end)
        if opening is None:
            break
        # Code spans do not cross blank lines, so each paragraph begins anew.
        position = max(position, text.rfind("\n\n", position, opening.start()))
        closing = _closing(text, position, opening, end)
        if closing is not None:
            found.append((opening.start(), closing))
            position = closing
            continue
        position = text.find("\n\n", opening.end(), end)
        if position < 0:
            break
    return found


def _closing(text: str, position: int, opening: re.Match[str], end: int) -> int | None:
    """Return the end of a code span on one line, or None if there is any doubt that it is one."""
    before = text[max(position, opening.start() - _LOOK_BACK) : opening.start()].rstrip("([\"'*_")
    is_first = not before and position == 0 and opening.start() <= _LOOK_BACK
    if not is_first and not before.endswith((" ", "\t", "\n")):
        return None  # part of an address, or escaped
    if _DOUBT.search(text, position, opening.start()):
        return None
    line_end = text.find("\n", opening.end(), end)
    line_end = end if line_end < 0 else line_end
    for ticks in _TICKS.finditer(text, opening.end(), line_end):
        if len(ticks[0]) == len(opening[0]):
            # The cells of a table are separated before code is looked for.
            return None if "|" in text[opening.end() : ticks.start()] else ticks.end()
    return None
