"""Mask swear words. The embedded engine's language model contains them and produces some from noise."""

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


def mask(word: Word) -> Word:
    """Return a swear word with its inside starred, any other word as it is."""
    if not _SWEAR_WORD.fullmatch(word.text.lower()):
        return word
    return replace(word, text=word.text[0] + "*" * (len(word.text) - 2) + word.text[-1])
