"""Insights of a transcript: stored completely or not at all, with quotes that exist, replaced by newer ones."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from sqlalchemy import delete, select, update

from speakr.connectors.language.base import ExtractRequest, SummaryRequest
from speakr.connectors.language.embedded import EmbeddedLanguageConnector
from speakr.db import db, release, unit_of_work
from speakr.domain.errors import ConnectorRejected
from speakr.domain.insights import ActionItem, Chapter, DatedEvent, Topic
from speakr.domain.jobs import JobKind, JobState
from speakr.domain.statements import Source, Statement, Usage
from speakr.domain.summaries import Summary
from speakr.models import CalendarEvent, Event, Job, Recording, RecordingSpeaker, Segment, User
from speakr.services.accounts import usage, users
from tests.conftest import Person
from tests.fakes import FakeWriter

R = "/api/v1/recordings"
FIRST = "heard 0.1-0.4"
START = datetime(2026, 6, 19, 7, 30, tzinfo=UTC)


def all_kinds(request: ExtractRequest) -> dict[str, Any]:
    """Return one insight of each kind for the first line, and false ones beside some."""
    source = Source(0, request.lines[0].text)
    true, false = Statement("True", (source,), is_verified=True), Statement("False", (), is_verified=False)
    return {
        "key_points": [true, false],
        "action_items": [
            ActionItem(claim=true, owner=request.lines[0].speaker, due="on Friday", due_at=START)
        ],
        "chapters": [Chapter("Beginning", 0), Chapter("End", 1)],
        "topics": [Topic("Hearing", (source,))],
        "events": [DatedEvent(claim=Statement("Review", (source,), is_verified=True), start=START)],
    }


@pytest.fixture
def talk(alice: Person, upload: Callable[..., Any], work: Callable[[], None], writer: FakeWriter) -> int:
    """A recording of two segments with insights."""
    writer.found = all_kinds
    number = int(upload(alice).json["id"])
    work()
    return number


def insights(person: Person, number: int) -> dict[str, Any]:
    answer = person.get(f"{R}/{number}/insights")
    assert answer.status_code == 200, answer.json
    return answer.json


def extracted() -> list[Event]:
    release()
    return [
        e for e in db.session.scalars(select(Event).order_by(Event.id)) if e.type.value.endswith("extracted")
    ]


def again(person: Person, number: int, work: Callable[[], None], what: str = "extract") -> None:
    answer = person.post(f"{R}/{number}/{what}")
    assert (answer.status_code, answer.json["status"]) == (200, "QUEUED"), answer.json
    work()


def test_insights_are_returned_with_their_sources(alice: Person, talk: int) -> None:
    found = insights(alice, talk)
    source = found["key_points"][0]["sources"][0]
    assert source == {
        "segment_id": source["segment_id"],
        "segment_index": 0,
        "start_time": 0.1,
        "end_time": 0.4,
        "speaker": "SPEAKER_00",
        "quote": FIRST,
    }
    assert found["key_points"] == [
        {"text": "True", "sources": [source], "unverified": False},
        {"text": "False", "sources": [], "unverified": True},
    ]
    assert found["action_items"] == [
        {
            "text": "True",
            "owner": "SPEAKER_00",
            "due": "on Friday",
            "due_at": "2026-06-19T07:30:00Z",
            "sources": [source],
            "unverified": False,
        }
    ]
    assert [(c["title"], c["start_time"], c["end_time"]) for c in found["chapters"]] == [
        ("Beginning", 0.1, 0.5),
        ("End", 0.5, 0.9),
    ]
    assert found["chapters"][0]["sources"] == [source]
    assert found["topics"] == [{"name": "Hearing", "sources": [source], "unverified": False}]
    assert (found["coverage"], found["engine"], found["is_current"]) == (1.0, "fake", True)
    (event,) = alice.get(f"{R}/{talk}/events").json["events"]
    assert (event["title"], event["start_datetime"]) == ("Review", "2026-06-19T07:30:00Z")
    assert (event["sources"], event["unverified"]) == ([source], False)
    (extraction,) = extracted()
    assert extraction.data["events_count"] == 1
    assert alice.get(f"{R}/{talk}").json["status"] == "COMPLETED"


def test_without_insights_no_event_is_sent(
    alice: Person, bob: Person, upload: Callable[..., Any], work: Callable[[], None]
) -> None:
    number = upload(alice).json["id"]
    assert insights(alice, number)["has_insights"] is False
    assert alice.post(f"{R}/{number}/extract").json["code"] == "no_transcription"
    work()
    found = insights(alice, number)
    assert (found["has_insights"], found["key_points"], found["coverage"]) == (True, [], 1.0)
    assert extracted() == []
    assert bob.get(f"{R}/{number}/insights").status_code == 404
    assert bob.post(f"{R}/{number}/extract").status_code == 404


def test_a_recording_is_complete_before_it_is_taken_apart(
    alice: Person, upload: Callable[..., Any], work: Callable[[], None], writer: FakeWriter
) -> None:
    seen = []

    def look(_: ExtractRequest) -> None:
        status = alice.get(f"{R}/{number}/status").json
        seen.append((status["status"], status["queue_position"], status["progress"]))

    writer.before_extract = look
    number = upload(alice).json["id"]
    work()
    assert seen == [("COMPLETED", None, 100)]


def test_a_failure_leaves_what_was_found_before(
    alice: Person, talk: int, work: Callable[[], None], writer: FakeWriter
) -> None:
    before = insights(alice, talk)

    def fail(_: ExtractRequest) -> None:
        error = ConnectorRejected("The provider knows no such key.")
        error.tokens_spent = 11
        raise error

    spent = usage.this_month(alice.id)[0]
    writer.before_extract = fail
    again(alice, talk, work)
    assert insights(alice, talk) == before
    assert alice.get(f"{R}/{talk}").json["status"] == "COMPLETED"
    assert len(alice.get(f"{R}/{talk}/events").json["events"]) == 1
    job = alice.get(f"/api/v1/jobs?recording_id={talk}").json["jobs"][0]
    assert (job["kind"], job["state"], job["error_code"]) == ("extract", "failed", "provider_rejected")
    release()
    assert usage.this_month(alice.id)[0] == spent + 11


def test_what_is_found_anew_takes_the_place_of_the_old_but_not_of_what_people_added(
    alice: Person, talk: int, work: Callable[[], None], writer: FakeWriter
) -> None:
    with unit_of_work() as session:
        session.add(CalendarEvent(recording_id=talk, title="Mine", start_at=START))
    kept = {e["title"]: e["id"] for e in alice.get(f"{R}/{talk}/events").json["events"]}

    def found(request: ExtractRequest) -> dict[str, Any]:
        events = [
            DatedEvent(
                claim=Statement(title, (Source(1, request.lines[1].text),), is_verified=True), start=START
            )
            for title in ("Review", "Mine", "Another")
        ]
        return {"events": events, "key_points": [Statement("New")]}

    writer.found = found
    again(alice, talk, work, "transcribe")
    events = {e["title"]: e for e in alice.get(f"{R}/{talk}/events").json["events"]}
    assert set(events) == {"Review", "Mine", "Another"}
    assert {title: events[title]["id"] for title in kept} == kept, "calendars know events by their ids"
    assert (events["Mine"]["sources"], events["Mine"]["unverified"]) == ([], False)
    assert events["Review"]["sources"][0]["segment_index"] == 1
    assert [point["text"] for point in insights(alice, talk)["key_points"]] == ["New"]
    assert [event.data["events_count"] for event in extracted()] == [1, 2]

    writer.found = lambda _: {}
    again(alice, talk, work)
    assert [e["title"] for e in alice.get(f"{R}/{talk}/events").json["events"]] == ["Mine"]
    assert len(extracted()) == 2


def test_events_are_not_kept_for_who_wants_none(
    alice: Person, upload: Callable[..., Any], work: Callable[[], None], writer: FakeWriter
) -> None:
    assert alice.patch("/api/v1/users/me", json={"preferences": {"extract_events": False}}).status_code == 200
    writer.found = all_kinds
    number = upload(alice).json["id"]
    work()
    assert len(insights(alice, number)["key_points"]) == 2
    assert alice.get(f"{R}/{number}/events").json == {"events": []}
    assert extracted() == []


def test_no_extraction_without_summaries_and_events(
    alice: Person, upload: Callable[..., Any], work: Callable[[], None], writer: FakeWriter
) -> None:
    options = {"extract_events": False, "auto_summarization": False}
    alice.patch("/api/v1/users/me", json={"preferences": options})
    number = upload(alice).json["id"]
    work()
    assert writer.extractions == []
    again(alice, number, work)
    assert len(writer.extractions) == 1


def test_a_summary_that_failed_does_not_keep_events_away(
    alice: Person, upload: Callable[..., Any], work: Callable[[], None], writer: FakeWriter
) -> None:
    def fail(_: object) -> None:
        raise ConnectorRejected("no")

    writer.before, writer.found = fail, all_kinds
    number = upload(alice).json["id"]
    work()
    assert len(insights(alice, number)["key_points"]) == 2
    assert len(extracted()) == 1


def test_a_transcript_that_is_replaced_meanwhile_is_read_again(
    alice: Person, talk: int, work: Callable[[], None], writer: FakeWriter
) -> None:
    def replace(_: ExtractRequest) -> None:
        writer.before_extract = None
        release()
        with unit_of_work() as session:
            session.execute(delete(Segment).where(Segment.recording_id == talk))
            session.get_one(Recording, talk).transcript_revision += 1
            session.add(
                Segment(
                    recording_id=talk,
                    position=9,
                    start=1.0,
                    end=2.0,
                    speaker="SPEAKER_00",
                    text="More",
                    words=[],
                )
            )

    writer.before_extract = replace
    again(alice, talk, work)
    release()
    job = db.session.scalars(
        select(Job).where(Job.recording_id == talk, Job.kind == JobKind.EXTRACT).order_by(Job.id.desc())
    ).first()
    assert (job.state, job.error_code) == (JobState.QUEUED, "transcript_replaced")


def test_a_quote_that_no_longer_stands_there_is_not_shown(alice: Person, talk: int) -> None:
    with unit_of_work() as session:
        session.execute(update(Segment).where(Segment.recording_id == talk).values(text="corrected"))
    found = insights(alice, talk)
    assert (found["key_points"][0]["sources"], found["key_points"][0]["unverified"]) == ([], True)
    assert alice.get(f"{R}/{talk}/events").json["events"][0]["unverified"] is True


def test_names_given_later_are_shown(alice: Person, talk: int) -> None:
    with unit_of_work() as session:
        session.add(RecordingSpeaker(recording_id=talk, label="SPEAKER_00", name="Ann"))
    (item,) = insights(alice, talk)["action_items"]
    assert (item["owner"], item["sources"][0]["speaker"]) == ("Ann", "Ann")


def test_tomorrow_is_counted_where_its_owner_lives(
    alice: Person, upload: Callable[..., Any], work: Callable[[], None], writer: FakeWriter
) -> None:
    def moment_with(zone: str | None, when: str) -> datetime:
        assert alice.patch("/api/v1/users/me", json={"preferences": {"time_zone": zone}}).status_code == 200
        upload(alice, meeting_date=when)
        work()
        return writer.extractions[-1].moment

    tokyo = moment_with("Asia/Tokyo", "2026-03-10T23:30:00Z")
    assert (tokyo.isoformat(), tokyo.tzinfo) == ("2026-03-11T08:30:00+09:00", ZoneInfo("Asia/Tokyo"))
    assert moment_with("America/New_York", "2026-03-10").isoformat() == "2026-03-10T00:00:00-04:00"
    assert moment_with(None, "2026-03-10T23:30:00Z").isoformat() == "2026-03-10T23:30:00+00:00"
    assert alice.patch("/api/v1/users/me", json={"preferences": {"time_zone": "Mars"}}).status_code == 400


def test_tokens_count_and_a_spent_budget_stops_it(
    app: Flask, alice: Person, talk: int, writer: FakeWriter
) -> None:
    with unit_of_work() as session:
        session.get_one(User, alice.id).token_budget = 15
    answer = alice.post(f"{R}/{talk}/extract")
    assert (answer.status_code, answer.json["code"]) == (403, "token_budget_exceeded")


def test_a_summary_has_sources_until_a_user_edits_it(
    alice: Person, talk: int, work: Callable[[], None], writer: FakeWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def summarize(request: SummaryRequest) -> Summary:
        evidence = {
            2: Statement("We hear", (Source(1, request.lines[1].text),), is_verified=True),
            3: Statement("We fly", ()),
        }
        return Summary(
            markdown="# Notes\n\n- We hear\n- We fly",
            engine="fake",
            is_extractive=False,
            lines_read=1,
            evidence=evidence,
            usage=Usage(),
        )

    monkeypatch.setattr(writer, "summarize", summarize)
    again(alice, talk, work, "summarize")
    body = alice.get(f"{R}/{talk}/summary").json
    first, second = body["sources"]
    assert (first["line"], first["text"], first["unverified"]) == (2, "We hear", False)
    assert (first["sources"][0]["segment_index"], second["unverified"]) == (1, True)
    assert body["coverage"] == 0.5
    assert alice.put(f"{R}/{talk}/summary", json={"summary": "Mine"}).status_code == 200
    assert alice.get(f"{R}/{talk}/summary").json == {
        "summary": "Mine",
        "has_summary": True,
        "sources": [],
        "coverage": None,
        "stale": False,
    }


def test_the_embedded_engine_finds_dates_through_the_api(
    alice: Person, talk: int, work: Callable[[], None], writer: FakeWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = EmbeddedLanguageConnector()
    monkeypatch.setattr(writer, "extract", engine.extract)
    said = "I will show the draft on the nineteenth of June at half past nine."
    with unit_of_work() as session:
        users.get(alice.id).preferences = {"time_zone": "Europe/Berlin"}
        segments = session.scalars(select(Segment).where(Segment.recording_id == talk)).all()
        segments[0].text = said
    alice.patch(f"{R}/{talk}", json={"meeting_date": "2026-03-11T10:00:00Z"})
    again(alice, talk, work)
    (event,) = alice.get(f"{R}/{talk}/events").json["events"]
    assert event["start_datetime"] == "2026-06-19T07:30:00Z"
    assert (event["sources"][0]["quote"], event["unverified"], event["has_time"]) == (said, False, True)
    (item,) = insights(alice, talk)["action_items"]
    assert (item["owner"], item["due_at"]) == ("SPEAKER_00", "2026-06-19T07:30:00Z")
