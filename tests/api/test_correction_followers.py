"""Effects of a correction: search, events, live streams, and texts made from the earlier version."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from speakr.backends import Backends
from speakr.db import db, release, unit_of_work
from speakr.domain.clock import now
from speakr.domain.insights import DatedEvent
from speakr.domain.jobs import JobKind
from speakr.domain.statements import Source, Statement
from speakr.models import Event, Job, RecordingPassage, TranscriptFollowUp
from speakr.services.corrections import followers
from speakr.settings import Settings
from tests.api.corrections import Transcript, spoken
from tests.conftest import Person
from tests.fakes import FakeWriter, MemoryJobNotifier

R = "/api/v1/recordings"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, embedding_model="fake-1")


@pytest.fixture
def transcript(alice: Person) -> Transcript:
    return Transcript(alice, spoken(alice))


def all_of_them(request: Any) -> dict[str, Any]:
    said = Statement("A point", (Source(0, request.lines[0].text),), is_verified=True)
    return {"key_points": [said], "events": [DatedEvent(claim=said, start=now() + timedelta(days=9))]}


@pytest.fixture
def summarised(
    alice: Person, upload: Callable[..., Any], work: Callable[[], None], writer: FakeWriter
) -> Transcript:
    """A recording with a summary, insights and a dated event."""
    writer.found = all_of_them
    made = Transcript(alice, upload(alice).json["id"])
    work()
    return made


def stale(transcript: Transcript) -> list[bool]:
    def read(what: str) -> Any:
        return transcript.person.get(f"{R}/{transcript.id}/{what}").json

    (event,) = read("events")["events"]
    return [read("summary")["stale"], read("insights")["stale"], event["stale"]]


def due_now() -> None:
    release()
    with unit_of_work() as session:
        session.execute(update(TranscriptFollowUp).values(due_at=now() - timedelta(seconds=1)))


def active_jobs() -> list[JobKind]:
    release()
    return list(db.session.scalars(select(Job.kind).where(Job.state == "queued").order_by(Job.id)))


def test_the_new_text_is_found_at_once_and_the_old_no_more(transcript: Transcript) -> None:
    def count(words: str) -> int:
        return len(transcript.person.get("/api/v1/search", query_string={"q": words}).json["results"])

    assert (count("Austin"), count("Austen")) == (1, 0)
    transcript.patch(1, {"text": "Hello Miss Austen here."})
    assert (count("Austin"), count("Austen")) == (0, 1)
    transcript.post("undo")
    assert (count("Austin"), count("Austen")) == (1, 0)


def test_webhooks_and_the_live_stream_are_sent_the_change(transcript: Transcript, backends: Backends) -> None:
    transcript.patch(1, {"text": "Hello Miss Austen here."})
    release()
    (event,) = db.session.scalars(select(Event)).all()
    assert (event.type.value, event.data["fields_changed"]) == ("recording.updated", ["transcription"])
    (message,) = backends.live.read(transcript.id, "0-0", 0.0)
    assert (message.kind, message.data) == ("transcript", {"revision": 1, "kind": "segment"})
    stream = transcript.person.get(f"{R}/{transcript.id}/live").get_data(as_text=True)
    assert "event: transcript" in stream


def test_the_recording_and_its_exports_show_the_new_text(transcript: Transcript) -> None:
    recording = f"{R}/{transcript.id}"
    before = transcript.person.get(recording)
    transcript.patch(1, {"text": "Hello Miss Austen here."})
    after = transcript.person.get(recording)
    assert after.headers["ETag"] != before.headers["ETag"]
    assert "Miss Austen here" in after.json["transcription"]
    assert "Miss Austen here" in transcript.person.get(f"{recording}/export").get_data(as_text=True)
    for name in ("srt", "vtt", "text"):
        assert "Miss Austen here" in transcript.read(format=name).json["content"]


def test_summary_insights_and_events_are_stale_until_made_anew(
    summarised: Transcript, work: Callable[[], None]
) -> None:
    assert stale(summarised) == [False, False, False]
    summarised.patch(0, {"text": "Something else."})
    assert stale(summarised) == [True, True, True]
    insights = summarised.person.get(f"{R}/{summarised.id}/insights").json
    assert insights["is_current"] is False
    assert insights["key_points"][0] == {"text": "A point", "sources": [], "unverified": True}
    summarised.person.post(f"{R}/{summarised.id}/summarize")
    work()
    assert stale(summarised) == [False, False, False]
    summarised.post("undo")
    assert stale(summarised) == [True, True, True]
    summarised.person.put(f"{R}/{summarised.id}/summary", json={"summary": "By hand."})
    assert stale(summarised) == [False, True, True]


def test_a_correction_while_a_summary_is_written_makes_it_stale(
    summarised: Transcript, work: Callable[[], None], writer: FakeWriter
) -> None:
    writer.before = lambda _: summarised.patch(0, {"text": "Meanwhile."})
    writer.before_extract = lambda _: summarised.post("segments/0/split", {"word": 1})
    summarised.patch(0, {"text": "Two words."})
    summarised.person.post(f"{R}/{summarised.id}/summarize")
    work()
    assert stale(summarised)[0] is True
    assert summarised.person.get(f"{R}/{summarised.id}").json["status"] == "COMPLETED"


def test_nothing_is_made_anew_unless_wanted(summarised: Transcript) -> None:
    summarised.patch(0, {"text": "Something else."})
    due_now()
    assert followers.queue_due() == 1
    assert active_jobs() == [JobKind.EMBED]
    assert followers.queue_due() == 0


def test_summary_and_insights_are_made_anew_once_for_many_corrections(
    summarised: Transcript, work: Callable[[], None], writer: FakeWriter
) -> None:
    summarised.person.patch("/api/v1/users/me", json={"preferences": {"refresh_after_corrections": True}})
    before = len(writer.requests)
    for number in range(5):
        summarised.patch(0, {"text": f"Version {number}."})
    assert followers.queue_due() == 0
    assert active_jobs() == []
    due_now()
    followers.queue_due()
    assert set(active_jobs()) == {JobKind.SUMMARIZE, JobKind.EXTRACT, JobKind.EMBED}
    work()
    assert len(writer.requests) == before + 1
    assert stale(summarised) == [False, False, False]


def test_waiting_for_the_end_of_corrections_is_limited(transcript: Transcript) -> None:
    def due() -> TranscriptFollowUp:
        release()
        return db.session.scalars(select(TranscriptFollowUp)).one()

    transcript.patch(0, {"text": "One."})
    with unit_of_work() as session:
        session.execute(update(TranscriptFollowUp).values(first_at=now() - timedelta(seconds=590)))
    transcript.patch(0, {"text": "Two."})
    left = due().due_at - now()
    assert left < timedelta(seconds=11)


def test_a_job_that_read_the_old_text_is_waited_for(
    summarised: Transcript, work: Callable[[], None], writer: FakeWriter
) -> None:
    summarised.person.patch("/api/v1/users/me", json={"preferences": {"refresh_after_corrections": True}})

    def meanwhile(_: Any) -> None:
        writer.before = None
        summarised.patch(0, {"text": "Meanwhile."})
        due_now()
        followers.queue_due()

    writer.before = meanwhile
    summarised.person.post(f"{R}/{summarised.id}/summarize")
    work()
    assert stale(summarised)[0] is True
    due_now()
    followers.queue_due()
    work()
    assert stale(summarised) == [False, False, False]


def test_passages_follow_and_show_segments_that_came_in_between(
    transcript: Transcript, notifier: MemoryJobNotifier, work: Callable[[], None]
) -> None:
    from tests.api.library import embed_all

    embed_all(notifier)
    transcript.post("segments/0/split", {"word": 1})
    query = {"q": "Good morning", "mode": "meaning"}
    (found,) = transcript.person.get("/api/v1/search", query_string=query).json["results"]
    assert found["matches"][0]["snippet"].startswith("Good morning all. Hello")
    transcript.patch(0, {"text": "Better"})
    due_now()
    followers.queue_due()
    work()
    release()
    (passage,) = db.session.scalars(select(RecordingPassage)).all()
    assert passage.is_current
    assert followers.queue_due() == 0
