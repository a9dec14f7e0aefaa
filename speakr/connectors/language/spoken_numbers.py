"""Write spoken English numbers, ordinals and clock times in digits: "half past nine" becomes "9:30".

Engines write numbers as words, and date grammars read digits. Each token of the result keeps its position in the text,
so that a match can be quoted as it was spoken.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_UNITS = {
    word: value
    for value, word in enumerate(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
        ]
    )
}
_TENS = {
    word: 10 * value
    for value, word in enumerate(
        ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], start=2
    )
}
_ORDINALS = {
    word: value
    for value, word in enumerate(
        [
            "first",
            "second",
            "third",
            "fourth",
            "fifth",
            "sixth",
            "seventh",
            "eighth",
            "ninth",
            "tenth",
            "eleventh",
            "twelfth",
            "thirteenth",
            "fourteenth",
            "fifteenth",
            "sixteenth",
            "seventeenth",
            "eighteenth",
            "nineteenth",
        ],
        start=1,
    )
}
_TENS_ORDINALS = {"twentieth": 20, "thirtieth": 30}
_SCALES = {"hundred": 100, "thousand": 1000, "million": 1_000_000}
_CARDINALS: Mapping[str, int] = _UNITS | _TENS
_VALUES: Mapping[str, int] = {**_CARDINALS, **_ORDINALS, **_TENS_ORDINALS}
_MAX_NUMBER_LENGTH = 12
_BEFORE_A_TIME = frozenset({"at", "around", "till", "until"})
_NUMBER_WORDS = frozenset({*_CARDINALS, *_ORDINALS, *_TENS_ORDINALS, *_SCALES})

_TOKEN = re.compile(
    r"\d+(?:st|nd|rd|th)\b|\d{4}-\d{2}-\d{2}|\d+(?::\d{2})?(?=[ap]m\b)|\d+(?:[:.,]\d+)*|[ap]\.\s?m\b\.?|o['’]clock|[^\W\d_]+(?:['’][^\W\d_]+)?|[^\w\s]",  # noqa: RUF001 - typeset text
    re.IGNORECASE,
)
_MAX_MINUTE = 59
_FIRST_CENTURY, _LAST_CENTURY = 17, 21


@dataclass(frozen=True, slots=True)
class Token:
    """One word, number or sign in lower case, and where it stood in the text."""

    text: str
    first: int
    last: int

    def joined(self, other: Token, text: str) -> Token:
        """Return one token in the place of this and a later one."""
        return Token(text, self.first, other.last)


def to_digits(text: str) -> list[Token]:
    """Return the text's tokens with numbers, ordinals and times in digits."""
    tokens = [
        Token(match[0].lower().replace("’", "'"), match.start(), match.end())  # noqa: RUF001 - typeset text
        for match in _TOKEN.finditer(text)
    ]
    return _clock_times(_half_days(_numbers(_without_hyphens(tokens))))


def numbers_in(text: str) -> set[str]:
    """Return the numbers of a text, spoken or written, in one spelling: «two», «2» and «2nd» are the same."""
    found: set[str] = set()
    for token in to_digits(text):
        if token.text[0].isdigit():
            plain = re.sub(r"(?<=\d)(st|nd|rd|th)$", "", token.text).replace(",", "")
            found.update(part.lstrip("0") or "0" for part in re.split(r"[:.\-]", plain) if part)
    return found


def _without_hyphens(tokens: Sequence[Token]) -> list[Token]:
    """Drop hyphens between number words."""
    return [
        token
        for at, token in enumerate(tokens)
        if not (
            token.text == "-"
            and 0 < at < len(tokens) - 1
            and tokens[at - 1].text in _NUMBER_WORDS
            and tokens[at + 1].text in _NUMBER_WORDS
        )
    ]


def _numbers(tokens: Sequence[Token]) -> list[Token]:
    written: list[Token] = []
    at = 0
    while at < len(tokens):
        value, suffix, used = _read_number(tokens, at)
        if used:
            written.append(tokens[at].joined(tokens[at + used - 1], f"{value}{suffix}"))
            at += used
        else:
            written.append(tokens[at])
            at += 1
    return written


def _read_number(tokens: Sequence[Token], at: int) -> tuple[int, str, int]:
    """Return value, ordinal suffix and tokens used of the number that begins here; none used if none does."""
    words = [token.text for token in tokens[at : at + _MAX_NUMBER_LENGTH]]
    # «At eighteen thirty» is a time, «in eighteen thirty» a year.
    is_time = at > 0 and tokens[at - 1].text in _BEFORE_A_TIME
    year = None if is_time else _read_year(words)
    if year is not None:
        return year[0], "", year[1]
    total = current = used = 0
    for position, word in enumerate(words):
        value = _VALUES.get(word)
        if value is not None:
            if used and not _may_follow(current, value):
                break
            current += value
            used = position + 1
            if word not in _CARDINALS:
                return total + current, _suffix(total + current), used
        elif word in _SCALES and used:
            if word == "hundred":
                current *= 100
            else:
                total, current = total + current * _SCALES[word], 0
            used = position + 1
        elif (
            not (
                word == "and"
                and (current >= _SCALES["hundred"] or total)
                and words[position + 1 : position + 2]
            )
            or words[position + 1] not in _VALUES
        ):
            break
    return total + current, "", used


def _may_follow(current: int, value: int) -> bool:
    """Tell whether a value completes the number so far: one after tens, anything below a hundred after hundreds."""
    if current == 0:
        return True
    if current % 100 == 0:
        return value < 100  # noqa: PLR2004 - a hundred
    return current % 10 == 0 and current % 100 >= 20 and 0 < value < 10  # noqa: PLR2004 - twenty, ten


def _read_year(words: Sequence[str]) -> tuple[int, int] | None:
    """Read «twenty twenty six», «nineteen ninety nine», «twenty oh five»; a century, then two digits."""
    century = _CARDINALS.get(words[0], 0)
    if not _FIRST_CENTURY <= century <= _LAST_CENTURY or len(words) == 1:
        return None
    rest = list(words[1:4])
    if rest[0] in {"oh", "o"} and len(rest) > 1 and 0 < _UNITS.get(rest[1], 0) < 10:  # noqa: PLR2004 - one digit
        return century * 100 + _UNITS[rest[1]], 3
    if rest[0] in _TENS:
        ones = _UNITS.get(rest[1], 0) if len(rest) > 1 else 0
        if 0 < ones < 10:  # noqa: PLR2004 - one digit
            return century * 100 + _TENS[rest[0]] + ones, 3
        return century * 100 + _TENS[rest[0]], 2
    tens = _UNITS.get(rest[0], 0)
    if 10 <= tens <= 19:  # noqa: PLR2004 - the teens
        return century * 100 + tens, 2
    return None


def _suffix(number: int) -> str:
    if number % 100 in {11, 12, 13}:
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")


def _half_days(tokens: Sequence[Token]) -> list[Token]:
    """Write «p m», «p.m.» and «pm» as one word."""
    written: list[Token] = []
    for token in tokens:
        text = token.text
        if text[0] in "ap" and re.fullmatch(r"[ap]\.\s?m\.?", text):
            written.append(Token(text[0] + "m", token.first, token.last))
        elif text == "m" and written and written[-1].text in {"a", "p"}:
            written[-1] = written[-1].joined(token, written[-1].text + "m")
        else:
            written.append(token)
    return written


def _clock_times(tokens: Sequence[Token]) -> list[Token]:
    written: list[Token] = []
    at = 0
    while at < len(tokens):
        token, used = _read_time(tokens, at)
        written.append(token)
        at += used
    return written


def _read_time(tokens: Sequence[Token], at: int) -> tuple[Token, int]:
    """Return the token that stands here, or the time that begins here, and how many tokens it took."""
    words = [token.text for token in tokens[at : at + 5]]
    is_range = at > 0 and tokens[at - 1].text in {"from", "between"}
    read = _before_or_after_the_hour(words, is_range=is_range) or _hour_first(words)
    if read is None:
        return tokens[at], 1
    hour, minute, used = read
    return tokens[at].joined(tokens[at + used - 1], f"{hour}:{minute:02d}"), used


def _before_or_after_the_hour(words: Sequence[str], *, is_range: bool) -> tuple[int, int, int] | None:
    """Read «half past nine», «a quarter to ten», «ten minutes past two»: hour, minute, tokens used."""
    begin = 1 if words[0] in {"a", "exactly"} and words[1:2] == ["quarter"] else 0
    minutes = {"half": 30, "quarter": 15}.get(words[begin]) or _minutes_before_past(words[0])
    rest = words[begin + 1 :]
    if minutes and rest and rest[0] in {"minutes", "minute"}:
        begin, rest = begin + 1, rest[1:]
    if not minutes or len(rest) < 2 or rest[0] not in {"past", "after", "to"}:  # noqa: PLR2004 - «past nine»
        return None
    hour = _hour(rest[1])
    if hour is None or (words[0] == "half" and rest[0] == "to"):
        return None
    if rest[0] in {"to", "after"} and (is_range or not _counts_minutes(words, begin)):
        return None
    if rest[0] == "to":
        return (hour - 2) % 12 + 1 if hour <= 12 else hour - 1, 60 - minutes, begin + 3  # noqa: PLR2004 - on the clock's face
    return hour, minutes, begin + 3


def _minutes_before_past(word: str) -> int | None:
    return int(word) if word.isdigit() and 0 < int(word) < 30 else None  # noqa: PLR2004 - «twenty past»


def _hour_first(words: Sequence[str]) -> tuple[int, int, int] | None:
    """Read «nine o'clock», «nine oh five», «nine thirty»: hour, minute, tokens used."""
    hour = _hour(words[0])
    if hour is None or len(words) == 1:
        return None
    second = words[1]
    if second == "o'clock":
        return hour, 0, 2
    if second in {"oh", "o"} and words[2:3] and words[2].isdigit() and int(words[2]) < 10:  # noqa: PLR2004 - «nine oh five»
        return hour, int(words[2]), 3
    if second.isdigit() and len(second) == 2 and 10 <= int(second) <= _MAX_MINUTE:  # noqa: PLR2004 - two digits
        return hour, int(second), 2
    return None


def _counts_minutes(words: Sequence[str], begin: int) -> bool:
    """Tell whether «ten to five» can only be a time: minutes go by fives, or are called so, or by a quarter."""
    return words[begin] in {"minutes", "minute", "quarter", "half"} or words[0] in {"5", "10", "20", "25"}


def _hour(word: str) -> int | None:
    return int(word) if word.isdigit() and len(word) <= 2 and 1 <= int(word) <= 24 else None  # noqa: PLR2004 - hours of a day
