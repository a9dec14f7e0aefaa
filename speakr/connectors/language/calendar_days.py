"""Days by the calendar: which one is meant by a weekday, a day of a month, or so many months later."""

from __future__ import annotations

import calendar
from datetime import date, timedelta

MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_FRIDAY = 4
_LEAP_CYCLE_YEARS = 9
"""Within so many years every day of a month comes, the 29th of February too."""


def coming_day(today: date, month: int, day: int, year: int | None) -> date | None:
    """Return that day of that month, without a year the next one that is not over; None if there is none."""
    for candidate in (year,) if year else range(today.year, today.year + _LEAP_CYCLE_YEARS):
        if 1 <= day <= calendar.monthrange(candidate, month)[1]:
            found = date(candidate, month, day)
            if year or found >= today:
                return found
    return None


def coming_weekday(today: date, weekday: int) -> date:
    """Return the next such weekday after today (0 is Monday)."""
    return today + timedelta(days=(weekday - today.weekday() - 1) % 7 + 1)


def in_week(day: date, weekday: int) -> date:
    """Return a weekday of the calendar week that a day is in; weeks begin on Monday."""
    return day - timedelta(days=day.weekday()) + timedelta(days=weekday)


def end_of_week(day: date) -> date:
    """Return the Friday of a day's week: a week of work ends there."""
    return in_week(day, _FRIDAY)


def end_of_month(day: date) -> date:
    """Return the last day of a day's month."""
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])


def month_later(day: date, months: int) -> date:
    """Return the same day so many months later, or the last of that month."""
    count = day.year * 12 + day.month - 1 + months
    year, month = divmod(count, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def nth_weekday(first: date, weekday: int, which: int) -> date | None:
    """Return the first (0), second ... or last (-1) such weekday of the month that begins at `first`."""
    days = [
        first.replace(day=number)
        for number in range(1, end_of_month(first).day + 1)
        if first.replace(day=number).weekday() == weekday
    ]
    return days[which] if which < len(days) else None
