"""Mask swear words. The embedded engine knows them and produces some from noise."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from speakr.domain.transcript import Word

_SWEAR_WORD: Final = re.compile(
    r"(?:mother)?fuck(?:er|ers|ed|ing|in'|s)?|(?:bull|horse)?shit(?:s|ty|ting|head)?|cunts?|bitch(?:es|ing|y)?"
    r"|assholes?|arseholes?|bastards?|dick(?:head|heads)|cocksuckers?|whores?|sluts?|nigg(?:er|ers|a|as)|faggots?"
    r"|goddamn(?:ed)?|wank(?:er|ers|ing)?|twats?"
)

_CORE: Final = re.compile(r"\w.*\w")


def mask(word: Word) -> Word:
    """Return a swear word with its inside starred, any other word as it is. Punctuation around it stays."""
    core = _CORE.search(word.text)
    if core is None or not _SWEAR_WORD.fullmatch(core[0].lower()):
        return word
    starred = core[0][0] + "*" * (len(core[0]) - 2) + core[0][-1]
    return replace(word, text=word.text[: core.start()] + starred + word.text[core.end() :])
