"""Text as search sees it: words without case, accents and punctuation.

Both databases are given words made here instead of being asked to find them, so that they agree: their own
parsers differ over accents, hyphens, e-mail addresses, emoji and every script that is written without spaces.
Of such a script, and of pictures, every character is a word.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import islice

MAX_PAIRS = 150_000
"""Places that are looked at for pairs. The index holds no more keys of one recording."""

MAX_WORD_LENGTH = 64
"""Longer ones are cut, in texts as in questions."""

_SPACELESS = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\u1780-\u17ff"  # Myanmar, Khmer
    "\u3005-\u3007\u3040-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # Kana, Bopomofo, Han
    "\uac00-\ud7af"  # Hangul has spaces, but glues particles to its words
    "\U0001b000-\U0001b16f\U00020000-\U0003fffd"
)
_IS_SPACELESS = re.compile(f"[{_SPACELESS}]").fullmatch
_PAIRS = re.compile(f"(?=([{_SPACELESS}]) ([{_SPACELESS}]) )")

_WORD = re.compile(r"\S+")

_STANDING_ALONE = frozenset({"So", "Co", "Cn"})
_PARTS_OF_WORDS = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No"})
_MAX_MARKS = 30
"""Combining marks in a row that are kept, as in the Stream-Safe Text Format (UAX #15, section 13). Normalisation
sorts them, in a time that grows with the square of their number."""
_MARKS_IN_A_ROW = re.compile(
    "([{0}]{{{1}}})[{0}]+".format(
        "".join(
            character for character in map(chr, range(0x300, 0x1F000)) if unicodedata.combining(character)
        ),
        _MAX_MARKS,
    )
)
_SHORTER = str.maketrans({"\ufdfa": "صلعم", "\ufdfb": "جلال"})
"""Ligatures of a whole sentence, which would make a text many times longer."""
_WITHOUT_ACCENT = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "\u0131": "i", "æ": "ae", "œ": "oe"})
"""Letters that Unicode does not take apart although people do."""
_INVISIBLE = frozenset("\u00ad\u034f\u061c\u0640\u200c\u200d\u2060\ufeff")
"""What stands inside words without being read: soft hyphens, joiners, marks of direction."""
_JOINS_TO_THE_LEFT = re.compile("[\u1160-\u11ff\uff9e\uff9f]").match
"""Characters that melt into the one before them although they are no marks: Hangul's letters, kana's narrow dots."""


class _Table(dict[int, str | int | None]):
    """A table for `str.translate` that is filled as characters turn up."""

    def __missing__(self, code: int) -> str | int | None:
        found = self.look(chr(code))
        if code < 0x30000:  # noqa: PLR2004 - caching unassigned characters would let a client fill the memory
            self[code] = found
        return found

    def look(self, character: str) -> str | int | None:
        raise NotImplementedError


class _WithoutMarks(_Table):
    def look(self, character: str) -> str | int | None:
        # Accents, and the points of Hebrew and Arabic. The vowels of Indic scripts and the dots of kana are no ornament.
        kind = unicodedata.combining(character)
        is_ornament = 10 <= kind <= 36 or kind >= 200  # noqa: PLR2004 - Unicode's combining classes
        code = ord(character)
        is_variant = 0xFE00 <= code <= 0xFE0F or 0x1F3FB <= code <= 0x1F3FF or 0xE0100 <= code <= 0xE01EF  # noqa: PLR2004
        return None if is_ornament or is_variant or character in _INVISIBLE else code


class _Words(_Table):
    def look(self, character: str) -> str | int | None:
        category = unicodedata.category(character)
        if category == "Nd":
            return str(unicodedata.decimal(character))
        if category in _STANDING_ALONE or _IS_SPACELESS(character):
            return f" {character} "
        return ord(character) if category in _PARTS_OF_WORDS else " "


_without_marks, _words = _WithoutMarks(), _Words()


def fold(text: str) -> str:
    """Return a text's words between blanks, with any number of blanks."""
    if not text.isascii():
        text = _MARKS_IN_A_ROW.sub(r"\1", text.translate(_SHORTER))
        text = unicodedata.normalize("NFKD", text).translate(_without_marks).casefold()
        text = unicodedata.normalize("NFKC", text.translate(_WITHOUT_ACCENT))
    else:
        text = text.lower()
    return text.translate(_words)


def normalise(text: str) -> str:
    """Return a text's words with one blank before, between and after them, or nothing if it has none."""
    words = words_of(text)
    return f" {' '.join(words)} " if words else ""


def words_of(text: str) -> list[str]:
    """Return a text's words."""
    words = fold(text).split()
    if words and len(max(words, key=len)) > MAX_WORD_LENGTH:
        return [word[:MAX_WORD_LENGTH] for word in words]
    return words


def is_character(word: str) -> bool:
    """Tell whether a word is one character of a script that is written without spaces."""
    return _IS_SPACELESS(word) is not None


def pairs_in(normalised: str) -> list[str]:
    """Return the different pairs of such characters that stand side by side in a normalised text.

    In the order of their first appearance; of a text with more than `MAX_PAIRS` places, those of the first places.
    """
    if normalised.isascii():
        return []
    found = islice(_PAIRS.finditer(normalised), MAX_PAIRS)
    return list(dict.fromkeys(match[1] + match[2] for match in found))


def located_words(text: str) -> list[tuple[str, int, int]]:
    """Return a text's words with where each begins and ends in the text as it was written."""
    if text.isascii():  # folding leaves every character where it is
        return [
            (match[0][:MAX_WORD_LENGTH], match.start(), match.end()) for match in _WORD.finditer(fold(text))
        ]
    folded, origins = _folded_with_origins(text)
    return [
        (match[0][:MAX_WORD_LENGTH], origins[match.start()][0], origins[match.end() - 1][1])
        for match in _WORD.finditer(folded)
    ]


def _folded_with_origins(text: str) -> tuple[str, list[tuple[int, int]]]:
    pieces: list[str] = []
    origins: list[tuple[int, int]] = []
    begin = 0
    for end in range(1, len(text) + 1):
        if end < len(text) and _continues(text[end]):
            continue
        piece = _folded_piece(text[begin:end])
        pieces.append(piece)
        origins += [(begin, end)] * len(piece)
        begin = end
    return "".join(pieces), origins


@lru_cache(4096)
def _continues(character: str) -> bool:
    """Tell whether a character must be folded together with the one before it."""
    return unicodedata.category(character) in {"Mn", "Mc", "Me"} or _JOINS_TO_THE_LEFT(character) is not None


@lru_cache(4096)
def _folded_piece(piece: str) -> str:
    return fold(piece)
