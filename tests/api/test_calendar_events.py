"""Dated events as JSON and as calendar files."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from icalendar import Calendar

from speakr.db import unit_of_work
from speakr.models import CalendarEvent
from tests.conftest import Person

Upload = Callable[..., Any]
START = datetime(2024, 1, 22, 10, tzinfo=UTC)


@pytest.fixture
def recording(alice: Person, upload: Upload) -> int:
    number: int = upload(alice).json["id"]
    with unit_of_work() as session:
        session.add_all(
            [
                CalendarEvent(recording_id=number, title="Second", start_at=START + timedelta(days=1)),
                CalendarEvent(
                    recording_id=number,
                    title="Follow-up; with, commas \\ and a very long title " + "ä" * 120,
                    start_at=START,
                    end_at=START + timedelta(minutes=30),
                    description="two\r\nlines\x07\nEND:VEVENT",
                    location="Room A, 2nd floor",
                    attendees=["Alice", "Bob"],
                    reminder_minutes=15,
                ),
            ]
        )
    return number


def test_events_are_listed_by_time(alice: Person, recording: int) -> None:
    first, second = alice.get(f"/api/v1/recordings/{recording}/events").json["events"]
    assert second["title"] == "Second"
    assert (first["start_datetime"], first["end_datetime"]) == (
        "2024-01-22T10:00:00Z",
        "2024-01-22T10:30:00Z",
    )
    assert (first["attendees"], first["reminder_minutes"]) == (["Alice", "Bob"], 15)
    assert (first.pop("sources"), first.pop("unverified"), first.pop("stale")) == ([], False, False)
    assert first == alice.get(f"/api/v1/recordings/{recording}").json["events"][0]


def test_the_file_says_the_same_to_a_calendar_program(alice: Person, recording: int) -> None:
    answer = alice.get(f"/api/v1/recordings/{recording}/events/ics")
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert answer.headers["Content-Disposition"] == f"attachment; filename=events-{recording}.ics"
    lines = answer.data.split(b"\r\n")
    assert all(len(line) <= 75 and b"\n" not in line for line in lines)
    calendar = Calendar.from_ical(answer.data)
    assert calendar["PRODID"] == "-//Speakr//Events//EN"
    first, second = calendar.walk("VEVENT")
    assert first["SUMMARY"] == "Follow-up; with, commas \\ and a very long title " + "ä" * 120
    assert first["DESCRIPTION"] == "two\nlines\nEND:VEVENT\n\nAlice, Bob"
    assert first["LOCATION"] == "Room A, 2nd floor"
    assert first["UID"].endswith("@speakr")
    assert first["UID"] != second["UID"]
    assert first.decoded("DTSTART") == START
    assert first.decoded("DTEND") == START + timedelta(minutes=30)
    assert second.decoded("DTEND") == START + timedelta(days=1, hours=1)
    assert all("DTSTAMP" in event for event in (first, second))
    (alarm,) = first.walk("VALARM")
    assert alarm.decoded("TRIGGER") == timedelta(minutes=-15)


def test_nothing_to_download(alice: Person, bob: Person, upload: Upload, recording: int) -> None:
    empty = upload(alice).json["id"]
    assert alice.get(f"/api/v1/recordings/{empty}/events").json == {"events": []}
    answer = alice.get(f"/api/v1/recordings/{empty}/events/ics")
    assert (answer.status_code, answer.json["error"]) == (404, "No events found")
    for path in ("events", "events/ics"):
        other_user = bob.get(f"/api/v1/recordings/{recording}/{path}")
        assert (other_user.status_code, other_user.json["error"]) == (404, "Recording not found")


def test_a_calendar_program_subscribes_by_url_alone(alice: Person, bob: Person, recording: int) -> None:
    answer = alice.client.get(f"/api/v1/calendar.ics?token={alice.token}", buffered=True)
    assert [event["SUMMARY"] for event in Calendar.from_ical(answer.data).walk("VEVENT")][-1] == "Second"
    assert Calendar.from_ical(bob.get("/api/v1/calendar.ics").data).walk("VEVENT") == []
