r"""Clean text of engines and models, so that it can be stored, shown in a terminal and read as it is displayed.

Removed: terminal escape sequences (ECMA-48), control characters except line feeds and tabs, and the formatting characters
that reorder text (U+202A to U+202E and U+2066 to U+2069: they can make a text look like another one). Marks of
direction (U+200E, U+200F, U+061C) stay; Arabic and Hebrew need them. Lone surrogates become U+FFFD.
"""

from __future__ import annotations

import re

_CONTROLS = "\x00-\x08\x0b-\x1f\x7f-\x9f"
_REORDERING = "\u202a-\u202e\u2066-\u2069"
_SUSPECT = re.compile(f"[{_CONTROLS}{_REORDERING}\ud800-\udfff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPE_SEQUENCE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b\n]{0,500}(?:\x07|\x1b\\)|[ -/]*[0-~])"
)
_LINE_END = re.compile(r"\r\n?")
_SPACING = re.compile("[\x0b\x0c\x85]")
_REMOVED = re.compile(f"[{_CONTROLS}{_REORDERING}]")
_LINE_BREAK = re.compile(r"[\n\t]")


def clean_text(text: str, max_length: int) -> str:
    """Return a text without control characters, of at most `max_length` characters. Line feeds and tabs stay."""
    if _SUSPECT.search(text) is not None:
        text = _joined_surrogates(text)
        text = _LINE_END.sub("\n", _ESCAPE_SEQUENCE.sub("", text))
        text = _REMOVED.sub("", _SPACING.sub(" ", text))
    return text[:max_length]


def clean_line(text: str, max_length: int) -> str:
    """Do the same for a text that is one line: line feeds and tabs become spaces."""
    return _LINE_BREAK.sub(" ", clean_text(text, max_length))


def _joined_surrogates(text: str) -> str:
    """Join the halves of characters that came apart, and replace those without another half."""
    if _SURROGATE.search(text) is None:
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
