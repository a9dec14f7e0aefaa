"""Dates in other languages than English, by dateparser; written in digits or with the names of months and days."""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache

from speakr.connectors.language.calendar_days import coming_day
from speakr.connectors.language.spoken_dates import SpokenDate

_HAS_DAY = re.compile(r"\d|[^\W\d_]{5,}")
"""A digit, or a word long enough to be a weekday, a month or «morgen»: short words are taken for days far too often."""
_TIME = re.compile(
    r"\b([01]?\d|2[0-3])(?:[:h.]([0-5]\d)(?!\d|\.\d)(?:\s*uhr)?|\s*(?:uhr|h\b|heures?|horas?\b)\s*([0-5]\d)?)",
    re.IGNORECASE,
)
_TIME_REACH = 25
"""Characters behind a date in which its time may stand: dateparser often leaves it out."""
_DIGITS_ONLY = re.compile(r"[\d\s.,:]+")
_A_DATE = re.compile(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}|\d{1,2}\.\s*\d{1,2}\.")
_NUMERIC = re.compile(r"(?<![\d.])(\d{1,2})\.\s?(\d{1,2})\.(?:\s?(20\d\d))?(?!\d)")
MAX_SENTENCE_LENGTH = 500


@lru_cache(1)
def _known_languages() -> frozenset[str]:
    from dateparser.data.languages_info import language_order  # noqa: PLC0415 - only recordings in other languages pay

    return frozenset(language_order)


def find_foreign_dates(text: str, moment: datetime, language: str) -> list[SpokenDate]:
    """Return the dates ahead of a moment that dateparser finds in a sentence; none in a language it does not know."""
    if len(text) > MAX_SENTENCE_LENGTH or language not in _known_languages():
        return []
    from dateparser.search import search_dates  # noqa: PLC0415 - as above

    base = moment.replace(tzinfo=None)
    hits = search_dates(
        text,
        languages=[language],
        settings={
            "PREFER_DATES_FROM": "future",
            "RELATIVE_BASE": base,
            "RETURN_AS_TIMEZONE_AWARE": False,
            "DATE_ORDER": "DMY",
        },
    )
    found = [
        _dated(text, when, match.start(), match.end(), moment)
        for match in _NUMERIC.finditer(text)
        if (when := _numeric_day(match, base)) is not None
    ]
    at = 0
    for said, when in hits or ():
        first = text.find(said, at)
        is_number = _DIGITS_ONLY.fullmatch(said) and not _A_DATE.search(said)
        if first < 0 or not _HAS_DAY.search(said) or is_number:
            continue
        at = first + len(said)
        if not _NUMERIC.search(said) and not any(first < other.last and other.first < at for other in found):
            found.append(_dated(text, when, first, at, moment))
    return sorted((date for date in found if date.start.date() >= base.date()), key=lambda date: date.first)


def _numeric_day(match: re.Match[str], base: datetime) -> datetime | None:
    """Read «5.4.2026» and «5.4.»: day before month, as in all languages that write points."""
    year = int(match[3]) if match[3] else None
    day = coming_day(base.date(), int(match[2]), int(match[1]), year) if 1 <= int(match[2]) <= 12 else None  # noqa: PLR2004 - months
    return datetime.combine(day, base.time()) if day is not None else None


def _dated(text: str, when: datetime, first: int, last: int, moment: datetime) -> SpokenDate:
    """Return a day with the time of day that is said with it."""
    without_dates = _A_DATE.sub(lambda match: " " * len(match[0]), text)
    time = _TIME.search(without_dates, first, last + _TIME_REACH)
    hour, minute = (int(time[1]), int(time[2] or time[3] or 0)) if time else (0, 0)
    return SpokenDate(
        start=when.replace(hour=hour, minute=minute, second=0, microsecond=0, tzinfo=moment.tzinfo),
        end=None,
        has_time=time is not None,
        is_day=True,
        first=first,
        last=last,
    )
