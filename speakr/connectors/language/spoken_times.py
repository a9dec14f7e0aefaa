"""Find the time of day that is said beside a date, from when to when."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from datetime import time as clock

_PART = re.compile(r"\b(?:morning|afternoon|evening|night|tonight|noon|midnight|lunch|lunchtime|dinner)\b")
_TIME_TEXT = (
    r"(?:(?P<{0}h>\d{{1,2}})(?::(?P<{0}m>\d\d))? ?(?P<{0}ap>[ap]m)?|(?P<{0}named>noon|midday|midnight))"
)
_RANGE = re.compile(
    rf"\b(?:from |between |at )?{_TIME_TEXT.format('a')} (?:to|and|until|till|-|–) {_TIME_TEXT.format('b')}\b"  # noqa: RUF001 - a dash
)
_AT = re.compile(
    rf"\b(?P<lead>at|by|from|around|about|before|after|until|till|@) (?:about |around )?{_TIME_TEXT.format('a')}(?!\d|:\d|%| ?(?:percent|people|euros?|dollars?|items?|minutes|hours|days|weeks))\b"
)
_BARE = re.compile(
    r"\b(?:(?P<ah>\d{1,2})(?::(?P<am>\d\d)) ?(?P<aap>[ap]m)?|(?P<ah2>\d{1,2}) ?(?P<aap2>[ap]m)|(?P<anamed>noon|midday|midnight))\b"
)
_FOR = re.compile(
    r"\bfor (?:(?P<half>half an hour)|(?P<count>\d{1,3}|an?) (?P<unit>minute|hour)s?(?P<and> and a half)?)\b"
)


@dataclass(frozen=True, slots=True)
class SpokenTime:
    """When something begins on a day, when it ends if that is said, and where in the text the time stands."""

    start: clock
    end: clock | None
    is_midnight: bool
    first: int
    last: int


def find_time(plain: str, before: tuple[int, int], after: tuple[int, int]) -> SpokenTime | None:
    """Return the time said after a date, else the one said before it; the text has its numbers in digits."""
    part = _part_of_day(plain[before[0] : after[1]])
    for low, high in (after, before):
        match = _first_time(plain, low, high)
        start = _clock(match, "a", part) if match is not None else None
        if match is None or start is None:
            continue
        end = _clock(match, "b", part) if "bh" in match.re.groupindex else None
        if end is not None:
            start = _same_half(match, start, end)
        is_midnight = match.groupdict().get("anamed") == "midnight"
        return SpokenTime(start, end, is_midnight, match.start(), match.end())
    return None


def _first_time(plain: str, low: int, high: int) -> re.Match[str] | None:
    matches = [
        match for pattern in (_RANGE, _AT, _BARE) if (match := pattern.search(plain, low, high)) is not None
    ]
    good = [match for match in matches if match.re is not _RANGE or _is_range(match)]
    return min(good, key=lambda match: (match.start(), -match.end()), default=None)


def _is_range(match: re.Match[str]) -> bool:
    """«9 to 11» alone may count anything; with a word before, minutes or half of the day it is a time."""
    has_mark = any(match[name] for name in ("am", "bm", "aap", "bap", "anamed", "bnamed"))
    return has_mark or match[0].startswith(("from", "between", "at"))


def _part_of_day(around: str) -> str:
    match = _PART.search(around)
    return match[0] if match else ""


def _clock(match: re.Match[str], which: str, part: str) -> clock | None:
    groups = match.groupdict()
    named = groups.get(f"{which}named")
    if named:
        return clock(0) if named == "midnight" else clock(12)
    hour_text = groups.get(f"{which}h") or groups.get(f"{which}h2")
    if hour_text is None:
        return None
    hour, minute = int(hour_text), int(groups.get(f"{which}m") or 0)
    half = groups.get(f"{which}ap") or groups.get(f"{which}ap2")
    if hour > 23 or minute > 59:  # noqa: PLR2004 - clocks
        return None
    if half and hour <= 12:  # noqa: PLR2004 - half a day
        return clock(hour % 12 + (12 if half == "pm" else 0), minute)
    is_late = part in {"afternoon", "evening", "night", "tonight", "dinner"}
    if hour < 12 and (is_late or (part != "morning" and 1 <= hour <= 6)):  # noqa: PLR2004 - half a day, six o'clock
        hour += 12
    return clock(hour, minute)


def _same_half(match: re.Match[str], start: clock, end: clock | None) -> clock:
    """Read «from 2 to 4 pm» as an afternoon's, and «from 11 to 1 pm» as it must be."""
    groups = match.groupdict()
    if end is None or groups["aap"] or groups["anamed"] or not groups["bap"]:
        return start
    hour = int(groups["ah"]) % 12 + (12 if groups["bap"] == "pm" else 0)
    later = start.replace(hour=hour)
    return later if later < end else start.replace(hour=int(groups["ah"]) % 12)


def end_of(plain: str, start: datetime, end: clock | None, low: int, high: int) -> datetime | None:
    """Return when something ends that begins at `start`: at a time that was said, or after so many minutes."""
    if end is not None:
        finish = datetime.combine(start.date(), end, start.tzinfo)
        return finish if finish > start else finish + timedelta(hours=12 if end.hour < 12 else 24)  # noqa: PLR2004 - half a day
    match = _FOR.search(plain, low, high)
    if match is None:
        return None
    if match["half"]:
        return start + timedelta(minutes=30)
    count = int(match["count"]) if match["count"].isdigit() else 1
    minutes = count * (60 if match["unit"] == "hour" else 1) + (30 if match["and"] else 0)
    return start + timedelta(minutes=minutes)
