"""Dated events in transcripts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from typing import Any

from sqlalchemy import delete, select

from speakr.db import db
from speakr.domain.caps import CAPS, Noun
from speakr.domain.events import EventsExtracted
from speakr.domain.insights import MAX_PER_LIST, DatedEvent
from speakr.domain.permissions import Actor
from speakr.exports import ics
from speakr.models import CalendarEvent, Recording
from speakr.services.language import quoting
from speakr.services.webhooks import events

MEDIA_TYPE = ics.MEDIA_TYPE

_MAX_EVENTS = 1_000
_MAX_TITLE_LENGTH = 200


def replace_extracted(recording: Recording, found: Sequence[DatedEvent], segment_ids: Sequence[int]) -> None:
    """Replace the events of an earlier job with those of this one, and record an event for webhooks if there are any.

    A row whose start and title are found again keeps its id, because calendars identify an event by it. Events that
    users added stay as they are and are not duplicated.
    """
    known = {(event.start_at, event.title): event for event in of_recording(recording.id)}
    kept: set[int] = set()
    stored = 0
    for event in found[: CAPS[Noun.CALENDAR_EVENTS]]:
        title = event.claim.text[:_MAX_TITLE_LENGTH]
        start = event.start.astimezone(UTC)
        row = known.get((start, title))
        if row is not None and not row.is_extracted:
            continue
        if row is None:
            row = CalendarEvent(recording_id=recording.id, title=title, start_at=start, is_extracted=True)
            db.session.add(row)
            known[start, title] = row
        row.end_at = event.end.astimezone(UTC) if event.end else None
        row.location = event.location[:_MAX_TITLE_LENGTH] if event.location else None
        row.attendees, row.has_time = list(event.attendees[:MAX_PER_LIST]), event.has_time
        row.is_verified, row.sources = event.claim.is_verified, quoting.keep(event.claim.sources, segment_ids)
        db.session.flush()
        kept.add(row.id)
        stored += 1
    db.session.execute(
        delete(CalendarEvent).where(
            CalendarEvent.recording_id == recording.id,
            CalendarEvent.is_extracted,
            CalendarEvent.id.not_in(kept),
        )
    )
    if stored:
        events.record(
            recording.user_id,
            EventsExtracted(recording_id=recording.id, title=recording.title, events_count=stored),
            recording_id=recording.id,
        )


def sources_of(found: Sequence[CalendarEvent]) -> list[dict[str, Any]]:
    """Return the sources of each event of a recording, in the API's form."""
    if not any(event.sources for event in found):
        return [{"sources": [], "unverified": event.is_extracted} for event in found]
    transcript = quoting.Transcript(found[0].recording_id)
    return [
        transcript.show_claim({"sources": event.sources, "verified": event.is_verified})
        if event.is_extracted
        else {"sources": transcript.show(event.sources), "unverified": False}
        for event in found
    ]


def of_recording(recording_id: int) -> Sequence[CalendarEvent]:
    """List a recording's events by time. The caller has checked the permission."""
    return db.session.scalars(
        select(CalendarEvent)
        .where(CalendarEvent.recording_id == recording_id)
        .order_by(CalendarEvent.start_at, CalendarEvent.id)
        .limit(CAPS[Noun.CALENDAR_EVENTS])
    ).all()


def of_actor(actor: Actor) -> Sequence[CalendarEvent]:
    """List the events of all the actor's own recordings by time; of more than 1000, the latest."""
    latest = db.session.scalars(
        select(CalendarEvent)
        .join(Recording, Recording.id == CalendarEvent.recording_id)
        .where(Recording.user_id == actor.user_id)
        .order_by(CalendarEvent.start_at.desc(), CalendarEvent.id.desc())
        .limit(_MAX_EVENTS)
    ).all()
    return latest[::-1]


def as_file(found: Sequence[CalendarEvent], *, name: str | None = None) -> bytes:
    """Return events as a calendar file (RFC 5545); `name` is the name of the calendar."""
    return ics.render(found, name=name)
