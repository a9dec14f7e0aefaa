"""Dated events found in transcripts."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from speakr.db import db
from speakr.domain.permissions import Actor
from speakr.models import CalendarEvent, Recording

_MOST = 1_000


def of_recording(recording_id: int) -> Sequence[CalendarEvent]:
    """List a recording's events by time. The caller has checked the permission."""
    return db.session.scalars(
        select(CalendarEvent)
        .where(CalendarEvent.recording_id == recording_id)
        .order_by(CalendarEvent.start_at, CalendarEvent.id)
    ).all()


def of_actor(actor: Actor) -> Sequence[CalendarEvent]:
    """List the events of all the actor's own recordings by time; of very many the latest."""
    latest = db.session.scalars(
        select(CalendarEvent)
        .join(Recording, Recording.id == CalendarEvent.recording_id)
        .where(Recording.user_id == actor.user_id)
        .order_by(CalendarEvent.start_at.desc(), CalendarEvent.id.desc())
        .limit(_MOST)
    ).all()
    return latest[::-1]
