"""Dated events found in transcripts."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from speakr.db import db
from speakr.models import CalendarEvent


def of_recording(recording_id: int) -> Sequence[CalendarEvent]:
    """List a recording's events by time. The caller has checked the permission."""
    return db.session.scalars(
        select(CalendarEvent)
        .where(CalendarEvent.recording_id == recording_id)
        .order_by(CalendarEvent.start_at, CalendarEvent.id)
    ).all()
