"""Hotwords as a list: users write them in one text."""

from __future__ import annotations

import re
from typing import Final

MAX_PHRASES: Final = 1000
MAX_PHRASE_WORDS: Final = 6

_BETWEEN = re.compile(r"[,;\n]")


def phrases(hotwords: str) -> list[str]:
    """Return the phrases between commas, semicolons and ends of lines, as long and as many as providers take."""
    found = [" ".join(phrase.split()[:MAX_PHRASE_WORDS]) for phrase in _BETWEEN.split(hotwords)]
    return [phrase for phrase in found if phrase][:MAX_PHRASES]
