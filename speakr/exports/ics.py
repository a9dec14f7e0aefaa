"""Dated events as an iCalendar file (RFC 5545)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from icalendar import Alarm, Calendar
from icalendar import Event as Entry

from speakr.exports.base import UNPRINTABLE

MEDIA_TYPE = "text/calendar"
_PRODUCT = "-//Speakr//Events//EN"
_USUAL_LENGTH = timedelta(hours=1)
"""How long an event is drawn when nobody said when it ends."""


class CalendarEvent(Protocol):
    """What is written of an event; times in UTC."""

    @property
    def id(self) -> int:
        """Unique and lasting."""
        ...

    @property
    def title(self) -> str:
        """What it is about."""
        ...

    @property
    def start_at(self) -> datetime:
        """When it begins."""
        ...

    @property
    def end_at(self) -> datetime | None:
        """When it ends, if that was said."""
        ...

    @property
    def description(self) -> str | None:
        """More about it."""
        ...

    @property
    def location(self) -> str | None:
        """Where it is."""
        ...

    @property
    def attendees(self) -> Sequence[str]:
        """Who comes, by name."""
        ...

    @property
    def reminder_minutes(self) -> int | None:
        """How long before it to remind."""
        ...

    @property
    def created_at(self) -> datetime:
        """When it was found."""
        ...


def render(events: Sequence[CalendarEvent], *, name: str | None = None) -> bytes:
    """Write events as one calendar: escaped, folded, with CRLF, as the RFC demands."""
    calendar = Calendar()
    calendar.add("prodid", _PRODUCT)
    calendar.add("version", "2.0")
    if name is not None:
        calendar.add("x-wr-calname", _clean(name))
    for event in events:
        calendar.add_component(_entry(event))
    written: bytes = calendar.to_ical()
    return written


def _entry(event: CalendarEvent) -> Entry:
    entry = Entry()
    entry.add("uid", f"{event.id}@speakr")
    entry.add("dtstamp", event.created_at)
    entry.add("dtstart", event.start_at)
    ends_later = event.end_at is not None and event.end_at > event.start_at
    entry.add("dtend", event.end_at if ends_later else event.start_at + _USUAL_LENGTH)
    entry.add("summary", _clean(event.title))
    description = "\n\n".join(
        part for part in (event.description, ", ".join(event.attendees)) if part and part.strip()
    )
    if description:
        entry.add("description", _clean(description))
    if event.location:
        entry.add("location", _clean(event.location))
    if event.reminder_minutes is not None:
        alarm = Alarm()
        alarm.add("action", "DISPLAY")
        alarm.add("description", _clean(event.title))
        alarm.add("trigger", timedelta(minutes=-event.reminder_minutes))
        entry.add_component(alarm)
    return entry


def _clean(text: str) -> str:
    """Drop what no calendar can hold; line breaks become the escaped ones of the format."""
    return UNPRINTABLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
