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
"""Length of an event in the calendar when its end is unknown."""


class CalendarEvent(Protocol):
    """The fields of an event that are written; times in UTC."""

    @property
    def id(self) -> int:
        """Unique and permanent."""
        ...

    @property
    def title(self) -> str:
        """Subject."""
        ...

    @property
    def start_at(self) -> datetime:
        """When it begins."""
        ...

    @property
    def end_at(self) -> datetime | None:
        """When it ends, if known."""
        ...

    @property
    def description(self) -> str | None:
        """Details."""
        ...

    @property
    def location(self) -> str | None:
        """Place."""
        ...

    @property
    def attendees(self) -> Sequence[str]:
        """Names of the attendees."""
        ...

    @property
    def reminder_minutes(self) -> int | None:
        """How many minutes before the start to remind."""
        ...

    @property
    def created_at(self) -> datetime:
        """When the event was extracted."""
        ...


def render(events: Sequence[CalendarEvent], *, name: str | None = None) -> bytes:
    """Write events as one calendar, escaped and folded, with CRLF, as the RFC requires."""
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
    """Drop characters that calendars cannot contain; line breaks become the escaped ones of the format."""
    return UNPRINTABLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
