"""Find spoken dates and times, and resolve them.

«Next Tuesday at half past two» means something only at a moment and a place: everything is resolved against an aware
time in the speaker's time zone. Dates are taken from English by the grammar below; `foreign_dates` reads others.

Where speech leaves it open:
- a day without a year is the next one to come; «Friday» is the next Friday after today;
- «next Friday» is that of the coming calendar week, which begins on Monday;
- an hour from 1 to 6 without more is in the afternoon, any other in the morning.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from datetime import time as clock

from speakr.connectors.language.calendar_days import (
    MONTHS,
    WEEKDAYS,
    coming_day,
    coming_weekday,
    end_of_month,
    end_of_week,
    in_week,
    month_later,
    nth_weekday,
)
from speakr.connectors.language.spoken_numbers import Token, to_digits
from speakr.connectors.language.spoken_times import end_of, find_time


@dataclass(frozen=True, slots=True)
class SpokenDate:
    """A date as it was meant, and where in the text it was said."""

    start: datetime
    end: datetime | None
    has_time: bool
    is_day: bool
    """False for «next week» or «the end of March», which is a limit more than a day."""
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class _Day:
    day: date
    first: int
    last: int
    is_day: bool = True
    part: str = ""


_MONTH = "(?P<month>" + "|".join(MONTHS) + ")"
_WEEKDAY = "(?P<weekday>" + "|".join(WEEKDAYS) + ")"
_NTH = r"(?P<nth>\d{1,2})(?:st|nd|rd|th)"
_COUNT = r"(?P<count>\d{1,3}|an?|a couple of|a few)"
_UNIT = r"(?P<unit>day|week|fortnight|month|year)s?"

Resolve = Callable[[re.Match[str], date], tuple[date, bool] | None]


def _of_month(match: re.Match[str], today: date) -> tuple[date, bool] | None:
    day = coming_day(
        today,
        MONTHS.index(match["month"]) + 1,
        int(match["nth"]),
        int(match["year"]) if match["year"] else None,
    )
    return None if day is None else (day, True)


def _iso(match: re.Match[str], today: date) -> tuple[date, bool] | None:  # noqa: ARG001 - the signature of all
    try:
        return date.fromisoformat(match[0]), True
    except ValueError:
        return None


def _with_slashes(match: re.Match[str], today: date) -> tuple[date, bool] | None:
    """Resolve «6/19/2026»: month first as in America, unless it cannot be one."""
    month, day = int(match["one"]), int(match["two"])
    if month > 12:  # noqa: PLR2004 - months
        month, day = day, month
    found = coming_day(today, month, day, int(match["year"])) if 1 <= month <= 12 else None  # noqa: PLR2004 - as above
    return None if found is None else (found, True)


def _near(match: re.Match[str], today: date) -> tuple[date, bool]:
    days = {"tomorrow": 1, "today": 0, "tonight": 0, "this": 0}[match["near"].split()[0]]
    return today + timedelta(days=days + (1 if match["after"] else 0)), True


def _later(match: re.Match[str], today: date) -> tuple[date, bool] | None:
    """Resolve «in three weeks», «two weeks from Friday», «a week from tomorrow»."""
    groups = match.groupdict()
    if groups.get("weekday"):
        wanted = WEEKDAYS.index(match["weekday"])
        is_next = groups.get("next") is not None
        base = in_week(today + timedelta(days=7), wanted) if is_next else coming_weekday(today, wanted)
    else:
        base = today + timedelta(days=1 if groups.get("anchor") == "tomorrow" else 0)
    counted = {"a": 1, "an": 1, "a couple of": 2, "a few": 3}.get(match["count"])
    count = int(match["count"]) if counted is None else counted
    unit = match["unit"]
    if unit in {"month", "year"}:
        return month_later(base, count * (12 if unit == "year" else 1)), True
    day = base + timedelta(days=count * {"day": 1, "week": 7, "fortnight": 14}[unit])
    if groups.get("on"):
        return in_week(day, WEEKDAYS.index(match["on"])), True
    return day, True


def _week_later(match: re.Match[str], today: date) -> tuple[date, bool]:
    """Resolve «Tuesday week», the Tuesday after the coming one."""
    return coming_weekday(today, WEEKDAYS.index(match["weekday"])) + timedelta(days=7), True


def _weekday(match: re.Match[str], today: date) -> tuple[date, bool]:
    wanted = WEEKDAYS.index(match["weekday"])
    which = match["which"] or ""
    if which.startswith("next"):
        return in_week(today + timedelta(days=7), wanted), True
    return coming_weekday(today, wanted), True


def _weekday_of_week(match: re.Match[str], today: date) -> tuple[date, bool]:
    weeks = (
        2 if match["later"] else 1 if match["week"].startswith(("next", "the following", "the week")) else 0
    )
    return in_week(today + timedelta(days=7 * weeks), WEEKDAYS.index(match["weekday"])), True


def _weekday_after_next(match: re.Match[str], today: date) -> tuple[date, bool]:
    first = in_week(today + timedelta(days=7), WEEKDAYS.index(match["weekday"]))
    return first + timedelta(days=7), True


def _nth_weekday(match: re.Match[str], today: date) -> tuple[date, bool] | None:
    which = -1 if match["which"] == "last" else int(match["which"][0]) - 1
    if match["month"]:
        first = date(today.year, MONTHS.index(match["month"]) + 1, 1)
        first = first if end_of_month(first) >= today else first.replace(year=today.year + 1)
    else:
        first = month_later(today.replace(day=1), 1 if match["next"] else 0)
    day = nth_weekday(first, WEEKDAYS.index(match["weekday"]), which)
    return None if day is None else (day, True)


def _nth(match: re.Match[str], today: date) -> tuple[date, bool] | None:
    """Resolve «on the twelfth», «the twelfth of next month»."""
    groups = match.groupdict()
    first = month_later(today.replace(day=1), 1 if (groups.get("of") or "").startswith("next") else 0)
    nth = int(match["nth"])
    for _ in range(3):
        if nth <= end_of_month(first).day and (groups.get("of") or first.replace(day=nth) >= today):
            return first.replace(day=nth), True
        first = month_later(first, 1)
    return None


def _limit(match: re.Match[str], today: date) -> tuple[date, bool]:
    """Resolve «the end of next week», «by the end of June», «next month»: no day one could meet on."""
    groups = match.groupdict()
    if groups.get("month"):
        first = date(today.year, MONTHS.index(match["month"]) + 1, 1)
        day = first if end_of_month(first) >= today else first.replace(year=today.year + 1)
        return (end_of_month(day) if groups.get("edge") == "end" else day), False
    steps = 1 if groups.get("next") else 0
    unit, edge = match["unit"], groups.get("edge")
    if unit == "week":
        day = in_week(today + timedelta(days=7 * steps), 0)
        return (end_of_week(day) if edge == "end" else day), False
    if unit == "year":
        year = today.year + steps
        return (date(year, 12, 31) if edge == "end" else date(year, 1, 1)), False
    day = month_later(today.replace(day=1), steps)
    return (end_of_month(day) if edge == "end" else day), False


_END = r"(?=$| ?[.,;:!?]| (?:at|from|in|around|about|with|for|to|we|if|because|before|after|and|or|then|i|by|as) )"
_OF_WEEK = r"(?P<week>next week|this week|the following week|the week after(?P<later> next)?)"

_DAYS: tuple[tuple[re.Pattern[str], Resolve], ...] = tuple(
    (re.compile(rf"\b(?:{pattern})\b" if not pattern.endswith(_END) else rf"\b{pattern}"), resolve)
    for pattern, resolve in (
        (r"\d{4}-\d{2}-\d{2}", _iso),
        (r"(?P<one>\d{1,2}) / (?P<two>\d{1,2}) / (?P<year>20\d\d)", _with_slashes),
        (
            rf"(?:the )?{_NTH} (?:to|until|till|through) (?:the )?\d{{1,2}}(?:st|nd|rd|th) (?:of )?{_MONTH}(?: ,? ?(?P<year>20\d\d))?",
            _of_month,
        ),
        (rf"(?:(?:the )?{_NTH} (?:of )?{_MONTH})(?:(?: ,)? (?P<year>20\d\d))?", _of_month),
        (rf"(?:(?:the )?(?P<nth>\d{{1,2}}) (?:of )?{_MONTH})(?:(?: ,)? (?P<year>20\d\d))?", _of_month),
        (rf"{_MONTH} (?:the )?{_NTH}(?:(?: ,)? (?P<year>20\d\d))?", _of_month),
        (rf"{_MONTH} (?P<nth>\d{{1,2}})(?! ?[ap]m)(?! ?%)(?:(?: ,)? (?P<year>20\d\d))?", _of_month),
        (
            rf"(?:the )?(?P<which>1st|2nd|3rd|4th|last) {_WEEKDAY} (?:of|in) (?:(?P<next>next month)|(?:this|the) month|{_MONTH})",
            _nth_weekday,
        ),
        (rf"(?:the )?{_NTH} of (?P<of>next|this|the) month", _nth),
        (rf"{_WEEKDAY} (?:of |in )?{_OF_WEEK}", _weekday_of_week),
        (rf"{_OF_WEEK} (?:on |, )?{_WEEKDAY}", _weekday_of_week),
        (rf"{_WEEKDAY} after next", _weekday_after_next),
        (
            rf"{_COUNT} {_UNIT} (?:from|on) (?:(?P<anchor>today|tomorrow|now)|(?:this |(?P<next>next ))?{_WEEKDAY})",
            _later,
        ),
        (rf"{_WEEKDAY} week(?= at|$| [.,])", _week_later),
        (rf"{_WEEKDAY} in {_COUNT} {_UNIT}", _later),
        (rf"in {_COUNT} {_UNIT}(?: '?s? ?time)?(?: on (?P<on>{'|'.join(WEEKDAYS)}))?", _later),
        (
            r"(?P<after>(?:the )?day after )?(?P<near>tomorrow|today|tonight|this (?:morning|afternoon|evening))",
            _near,
        ),
        (rf"(?:{_WEEKDAY} ,? ?)?(?:on|by|until|till|before|for) the {_NTH}{_END}", _nth),
        (rf"(?:{_WEEKDAY} ,? ?)the {_NTH}{_END}", _nth),
        (rf"(?P<which>next|this coming|this|coming|the following|the coming)? ?{_WEEKDAY}(?! s\b)", _weekday),
        (
            rf"(?:the )?(?P<edge>end|beginning|start|middle) of (?:(?P<next>next )?(?:the |this )?(?P<unit>week|month|year)|{_MONTH})",
            _limit,
        ),
        (r"(?P<next>next) (?P<unit>week|month|year)", _limit),
    )
)

_PAST_BEFORE = re.compile(r"\b(?:last|past|previous|since) (?:\w+ )?$")
_PAST_AFTER = re.compile(r"^ (?:ago|before last|last (?:week|month|year))\b")
_ABBREVIATED = {"sept": "september", **{month[:3]: month for month in MONTHS}}
_NEAR = 60
"""Characters between a date and a time that belong together."""


def find_dates(text: str, moment: datetime) -> list[SpokenDate]:
    """Return the dates that lie ahead of a moment, in the order they are spoken of; times are in its time zone."""
    tokens = _in_full(to_digits(text))
    plain, places = _plain(tokens)
    days = _days(plain, moment.date())
    found = []
    for at, day in enumerate(days):
        earliest = days[at - 1].last if at else 0
        latest = days[at + 1].first if at + 1 < len(days) else len(plain)
        found.append(_with_time(plain, places, day, (earliest, latest), moment))
    return [date for date in found if date.start.date() >= moment.date()]


def _plain(tokens: Sequence[Token]) -> tuple[str, list[tuple[int, int]]]:
    """Return the tokens as one text, and for each of its characters where in the source its token stands."""
    places: list[tuple[int, int]] = []
    for token in tokens:
        places += [(token.first, token.last)] * (len(token.text) + 1)
    return " ".join(token.text for token in tokens), places


def _in_full(tokens: Sequence[Token]) -> list[Token]:
    """Write out months that are abbreviated beside a number: «Sept. 3», «3 Sept»."""
    written: list[Token] = []
    for at, token in enumerate(tokens):
        beside = [*tokens[max(at - 1, 0) : at], *[t for t in tokens[at + 1 : at + 3] if t.text != "."][:1]]
        if token.text in _ABBREVIATED and any(other.text[0].isdigit() for other in beside):
            written.append(Token(_ABBREVIATED[token.text], token.first, token.last))
        elif not (token.text == "." and at and tokens[at - 1].text in _ABBREVIATED):
            written.append(token)
    return written


def _days(plain: str, today: date) -> list[_Day]:
    taken: list[_Day] = []
    for pattern, resolve in _DAYS:
        for match in pattern.finditer(plain):
            first, last = match.start() + len(match[0]) - len(match[0].lstrip()), match.end()
            if any(first < other.last and other.first < last for other in taken):
                continue
            if _PAST_BEFORE.search(plain[:first]) or _PAST_AFTER.search(plain[last:]) or _is_verb(match):
                continue
            resolved = resolve(match, today)
            if resolved is not None:
                taken.append(_Day(resolved[0], first, last, resolved[1]))
    return _joined(sorted(taken, key=lambda day: day.first), plain)


def _is_verb(match: re.Match[str]) -> bool:
    """Tell whether «may» or «march» is perhaps no month: «you may 2 of them»."""
    groups = match.groupdict()
    is_bare = match[0].split()[0] in {"may", "march"} and not re.search(r"\d(st|nd|rd|th)\b", match[0])
    is_said_of_a_day = re.search(
        r"\b(?:on|by|until|till|before|after|of|in|for) $|, $", match.string[: match.start()]
    )
    return (
        groups.get("month") in {"may", "march"}
        and is_bare
        and not groups.get("year")
        and not is_said_of_a_day
    )


def _joined(days: Sequence[_Day], plain: str) -> list[_Day]:
    """Take «Friday, the 19th of June» for one date: the one that says more."""
    joined: list[_Day] = []
    for day in days:
        gap = plain[joined[-1].last : day.first].strip(" ,") if joined else "-"
        if gap in {"", "the", "on", "on the"} and joined:
            before = joined.pop()
            exact = day if re.search(r"\d", plain[day.first : day.last]) else before
            joined.append(_Day(exact.day, before.first, day.last, exact.is_day))
        else:
            joined.append(day)
    return joined


def _with_time(
    plain: str, places: Sequence[tuple[int, int]], day: _Day, bounds: tuple[int, int], moment: datetime
) -> SpokenDate:
    begin, end = max(bounds[0], day.first - _NEAR), min(bounds[1], day.last + _NEAR)
    time = find_time(plain, (begin, day.first), (day.last, end))
    if time is None:
        start, finish, first, last = (
            datetime.combine(day.day, clock(), moment.tzinfo),
            None,
            day.first,
            day.last,
        )
    else:
        # Midnight is where a day ends for who speaks of it.
        start = datetime.combine(day.day + timedelta(days=time.is_midnight), time.start, moment.tzinfo)
        finish = end_of(plain, start, time.end, day.first, end)
        first, last = min(day.first, time.first), max(day.last, time.last)
    return SpokenDate(
        start=start,
        end=finish,
        has_time=time is not None,
        is_day=day.is_day,
        first=places[first][0],
        last=places[last - 1][1],
    )
