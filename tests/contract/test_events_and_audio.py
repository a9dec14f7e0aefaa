"""Transcripts as files, dated events, and the audio."""

from __future__ import annotations

from typing import Any

import pytest
from icalendar import Calendar

from speakr.db import unit_of_work
from speakr.models import CalendarEvent, Recording
from speakr.storage.base import new_key
from tests.conftest import wav
from tests.contract.library import Library, check, check_error
from tests.contract.shapes import MOMENT

R = "/recordings/{recording}"
EVENT: dict[str, Any] = {
    "id": 1,
    "title": "Follow-up Meeting",
    "start_datetime": MOMENT,
    "end_datetime": MOMENT,
    "description": "Discuss project progress",
    "location": "Conference Room A",
}
LINE = "heard 0.0-0.9"


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("srt", f"1\n00:00:00,000 --> 00:00:00,900\n{LINE}\n\n2\n"),
        ("vtt", f"WEBVTT\n\n00:00:00.000 --> 00:00:00.900\n<v SPEAKER_00>{LINE}\n"),
        ("text", f"[SPEAKER_00]: {LINE}\n"),
    ],
)
def test_the_transcript_in_the_documented_formats(library: Library, name: str, start: str) -> None:
    body = check(library, "GET", f"{R}/transcript?format={name}", None, 200, {"format": name, "content": "a"})
    assert body["format"] == name
    assert body["content"].startswith(start)


def test_the_transcript_in_the_details_is_the_text(library: Library) -> None:
    text = library.make("GET", f"{R}/transcript?format=text")["content"]
    assert library.make("GET", R)["transcription"] == text


def test_the_callers_template_shapes_the_text(library: Library) -> None:
    body = "{{index}} {{start_time|srt}} {{speaker|upper}}: {{text}}"
    template = {"name": "Mine", "kind": "transcript", "body": body, "is_default": True}
    library.make("POST", "/templates", template)
    text = library.make("GET", f"{R}/transcript?format=text")["content"]
    assert text.startswith(f"1 00:00:00,000 SPEAKER_00: {LINE}")
    assert library.make("GET", R)["transcription"] == text


def test_the_transcript_as_data(library: Library) -> None:
    body = library.make("GET", f"{R}/transcript")
    first = body["segments"][0]
    assert (first["speaker"], first["sentence"]) == ("SPEAKER_00", LINE)
    assert (first["start_time"], first["end_time"]) == (0.0, 0.9)


def test_events(library: Library) -> None:
    check(library, "GET", f"{R}/events", None, 200, {"events": [EVENT]})
    body = library.make("GET", "/recordings/{waiting}/events")
    assert body == {"events": []}


def test_events_as_a_calendar_file(library: Library) -> None:
    with unit_of_work() as session:
        event = session.query(CalendarEvent).one()
        event.title, event.description = "Commas, and; more", "Two\nlines"
        number = event.id
    answer = library.ask("GET", f"{R}/events/ics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert (
        answer.headers["Content-Disposition"] == f"attachment; filename=events-{library.ids['recording']}.ics"
    )
    text = answer.data.decode()
    assert text.count("\n") == text.count("\r\n") > 0
    assert "PRODID:-//Speakr//Events//EN" in text
    [entry] = Calendar.from_ical(text).walk("VEVENT")
    assert (entry["UID"], entry["SUMMARY"]) == (f"{number}@speakr", "Commas, and; more")
    assert entry["DESCRIPTION"] == "Two\nlines"
    assert "DTSTAMP" in entry


def test_audio(library: Library) -> None:
    answer = library.ask("GET", f"{R}/audio")
    assert (answer.status_code, answer.data) == (200, wav(6.0))
    headers = answer.headers
    assert headers["Content-Type"].startswith("audio/")
    assert headers["Content-Disposition"].startswith("inline")
    assert (headers["Accept-Ranges"], headers["Content-Length"]) == ("bytes", str(len(wav(6.0))))
    assert "no-cache" in headers["Cache-Control"]
    assert headers["ETag"]
    assert headers["Last-Modified"]


@pytest.mark.parametrize(("query", "way"), [("?download=true", "attachment"), ("?download=false", "inline")])
def test_audio_as_a_download(library: Library, query: str, way: str) -> None:
    answer = library.ask("GET", f"{R}/audio{query}")
    assert answer.headers["Content-Disposition"].startswith(f'{way}; filename="meeting.wav"')


def test_a_part_of_the_audio(library: Library) -> None:
    size = len(wav(6.0))
    answer = library.ask("GET", f"{R}/audio", headers={"Range": "bytes=0-3"})
    assert (answer.status_code, answer.data) == (206, b"RIFF")
    assert answer.headers["Content-Range"] == f"bytes 0-3/{size}"


def test_a_part_that_is_not_there(library: Library) -> None:
    size = len(wav(6.0))
    answer = library.ask("GET", f"{R}/audio", headers={"Range": f"bytes={size}-"})
    assert (answer.status_code, answer.json["code"]) == (416, "range_not_satisfiable")
    assert answer.headers["Content-Range"] == f"bytes */{size}"


def test_audio_that_the_client_has(library: Library) -> None:
    tag = library.ask("GET", f"{R}/audio").headers["ETag"]
    answer = library.ask("GET", f"{R}/audio", headers={"If-None-Match": tag})
    assert (answer.status_code, answer.data) == (304, b"")


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        ("/recordings/{waiting}/events/ics", 404, "No events found"),
        ("/recordings/{nobody}/events", 404, "Recording not found"),
        ("/recordings/{bobs}/events", 404, "Recording not found"),
        ("/recordings/{nobody}/events/ics", 404, "Recording not found"),
        ("/recordings/{nobody}/audio", 404, "Recording not found"),
        ("/recordings/{bobs}/audio", 404, "Recording not found"),
        ("/recordings/{silent}/audio", 404, "Audio has been deleted"),
        ("/recordings/{waiting}/transcript?format=srt", 404, "No transcription available"),
    ],
)
def test_errors(library: Library, path: str, status: int, sentence: str) -> None:
    check_error(library, "GET", path, None, status, sentence)


def test_audio_that_was_lost(library: Library) -> None:
    with unit_of_work() as session:
        session.get_one(Recording, library.ids["recording"]).storage_key = new_key("audio")
    check_error(library, "GET", f"{R}/audio", None, 404, "Audio file not found")
