"""How a written word is spoken: `10:30` is "ten thirty", `7%` is "seven percent".

Alignment needs words that a dictionary can pronounce. The result is one likely reading, in lower case.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_ONES: Final = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS: Final = (
    "zero", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
)  # fmt: skip
_SCALES: Final = ((10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred"))
_ORDINALS: Final = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth",
}  # fmt: skip
_SYMBOLS: Final = {
    "%": "percent", "&": "and", "+": "plus", "=": "equals", "@": "at", "#": "number", "°": "degrees",
    "$": "dollars", "€": "euros", "£": "pounds", "/": "slash",
}  # fmt: skip
_CURRENCIES: Final = "$€£"
_MAX_DIGITS: Final = 12
_YEARS: Final = range(1100, 2100)
_MAX_ACRONYM_LENGTH: Final = 6

_PIECE: Final = re.compile(
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?!\d)"
    r"|(?P<number>\d{1,3}(?:,\d{3})+|\d+)(?:\.(?P<decimals>\d+))?(?P<suffix>st|nd|rd|th|s)?(?![a-z])"
    r"|(?P<digits>\d+)"
    r"|(?P<dotted>(?:[a-z]\.){2,})"
    r"|(?P<word>[a-z]+(?:'[a-z]+)*)"
    r"|(?P<symbol>[%&+=@#°$€£/])"
)


def spoken(written: str) -> list[str]:
    """Return the words that are spoken for one written word; empty if there is nothing to say, as for a dash."""
    plain = unicodedata.normalize("NFKD", written.replace("’", "'"))  # noqa: RUF001 - an apostrophe of typographers
    text = "".join(letter for letter in plain if not unicodedata.combining(letter)).lower()
    currency = next((_SYMBOLS[letter] for letter in text if letter in _CURRENCIES), None)
    words: list[str] = []
    for piece in _PIECE.finditer(text):
        words += _read(piece, currency, is_capital=plain.isupper())
        currency = None if piece["number"] or piece["digits"] else currency
    return words


def _read(piece: re.Match[str], currency: str | None, *, is_capital: bool) -> list[str]:
    match piece.lastgroup:
        case "minute":
            return [*cardinal(int(piece["hour"])), *_minutes(piece["minute"])]
        case "number" | "decimals" | "suffix":
            return _number(piece) + ([currency] if currency else [])
        case "digits":
            return _one_by_one(piece["digits"])
        case "dotted":
            return list(piece["dotted"].replace(".", ""))
        case "symbol":
            return [] if piece["symbol"] in _CURRENCIES else [_SYMBOLS[piece["symbol"]]]
    return _letters(piece["word"]) if is_capital else [piece["word"]]


def _letters(word: str) -> list[str]:
    """Return an acronym that cannot be pronounced as its letters, any other word as it is."""
    return list(word) if len(word) <= _MAX_ACRONYM_LENGTH and not set("aeiouy") & set(word) else [word]


def _minutes(written: str) -> list[str]:
    minutes = int(written)
    if minutes == 0:
        return ["o'clock"]
    return (["oh"] if written.startswith("0") else []) + cardinal(minutes)


def _number(piece: re.Match[str]) -> list[str]:
    digits = piece["number"].replace(",", "")
    if len(digits) > _MAX_DIGITS or (len(digits) > 1 and digits.startswith("0")):
        words = _one_by_one(digits)
    elif len(piece["number"]) == 4 and int(digits) in _YEARS and not piece["decimals"]:  # noqa: PLR2004 - a year
        words = _year(int(digits))
    else:
        words = cardinal(int(digits))
    if piece["decimals"]:
        words += ["point", *_one_by_one(piece["decimals"])]
    match piece["suffix"]:
        case "s":
            words[-1] = _plural(words[-1])
        case "st" | "nd" | "rd" | "th":
            words[-1] = _ordinal(words[-1])
    return words


def cardinal(number: int) -> list[str]:
    """Return a number below 10**12 in words."""
    words: list[str] = []
    for value, name in _SCALES:
        if number >= value:
            words += [*cardinal(number // value), name]
            number %= value
    if number >= len(_ONES):
        words.append(_TENS[number // 10])
        number %= 10
        return words + ([_ONES[number]] if number else [])
    return words + ([_ONES[number]] if number or not words else [])


def _year(year: int) -> list[str]:
    century, rest = divmod(year, 100)
    if rest == 0:
        return cardinal(year) if century % 10 == 0 else [*cardinal(century), "hundred"]
    if century % 10 == 0 and rest < 10:  # noqa: PLR2004 - two thousand seven
        return cardinal(year)
    return [*cardinal(century), *(["oh"] if rest < 10 else []), *cardinal(rest)]  # noqa: PLR2004 - nineteen oh seven


def _one_by_one(digits: str) -> list[str]:
    return [_ONES[int(digit)] for digit in digits]


def _ordinal(word: str) -> str:
    if word in _ORDINALS:
        return _ORDINALS[word]
    return f"{word[:-1]}ieth" if word.endswith("y") else f"{word}th"


def _plural(word: str) -> str:
    if word.endswith("y"):
        return f"{word[:-1]}ies"
    return f"{word}es" if word.endswith("x") else f"{word}s"
