"""Words a user tells the embedded recogniser beforehand: names it has no pronunciation or no place for."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import structlog

if TYPE_CHECKING:
    from speakr.connectors.transcription.pronunciation import Pronouncer

logger = structlog.get_logger(__name__)

MAX_WORDS: Final = 200
MAX_WORD_LENGTH: Final = 40
WEIGHT: Final = 1000.0
"""How much likelier a word becomes that the language model gives no more than to any unknown one: of 24 names
spoken in tests 1 was found without all this, 7 with a pronunciation alone, 13 with both, and none wrongly."""

_WORD: Final = re.compile(r"[^\W\d_]+(?:['’-]+[^\W\d_]+)*")  # noqa: RUF001 - the apostrophe of typesetters
_PLAIN: Final = re.compile(r"[a-z'-]+")
_WITHOUT_ACCENT: Final = str.maketrans(
    {"’": "'", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"}  # noqa: RUF001
)
"""Letters that Unicode does not decompose."""


def read_hotwords(text: str) -> dict[str, str]:
    """Return the words of a free list: in lower case without accents, as the recogniser has them, to how they were written.

    Words in other scripts than the Latin one are left out: the recognisers of English do not write them.
    """
    words: dict[str, str] = {}
    for written in _WORD.findall(unicodedata.normalize("NFC", text)):
        word = plain(written)
        if 1 < len(word) <= MAX_WORD_LENGTH and len(words) < MAX_WORDS and _PLAIN.fullmatch(word):
            words.setdefault(word, written)
    return words


def plain(word: str) -> str:
    """Return a word in lower case and without accents."""
    letters = unicodedata.normalize("NFKD", word.casefold())
    return "".join(each for each in letters if not unicodedata.combining(each)).translate(_WITHOUT_ACCENT)


def spelled(text: str, hotwords: Mapping[str, str]) -> str | None:
    """Return a recognised word, with its punctuation, as the user writes it; None if it is no hotword."""
    core = _WORD.search(text)
    written = hotwords.get(plain(core[0])) if core else None
    return None if core is None or written is None else text[: core.start()] + written + text[core.end() :]


def boost(decoder: Any, hotwords: Iterable[str]) -> None:
    """Teach a PocketSphinx decoder the words; those it cannot be taught to pronounce it goes without.

    Words that the language model has are left as they are: it does not look whether it has a word before it adds
    it, and a second one of the same name overwrites what stands behind the first, up to a crash.
    """
    from pocketsphinx import NGramModel  # noqa: PLC0415 - the web process only reads the capabilities

    sayable = [word for word in hotwords if decoder.lookup_word(word) is not None or _teach(decoder, word)]
    if not sayable:
        return
    model = NGramModel(decoder.config, decoder.logmath, decoder.config["lm"])
    impossible = decoder.logmath.get_zero()
    for word in sayable:
        if model.prob([word]) <= impossible:
            model.add_word(word, WEIGHT)
    decoder.add_lm("hotwords", model)
    decoder.activate_search("hotwords")


_pronouncer: Pronouncer | None = None


def _teach(decoder: Any, word: str) -> bool:
    global _pronouncer  # noqa: PLW0603 - read once per process
    from speakr.connectors.transcription.pronunciation import (  # noqa: PLC0415 - loads numpy
        Pronouncer,
        PronunciationsMissing,
    )

    try:
        _pronouncer = _pronouncer or Pronouncer()
    except PronunciationsMissing:
        logger.warning("hotword_pronunciations_missing", help="requirements-models.txt brings them")
        return False
    phones = _pronouncer.pronounce(word)
    if phones:
        decoder.add_word(word, phones, update=False)
    return bool(phones)
