"""Looking at what a job left behind, with fresh eyes."""

from __future__ import annotations

from sqlalchemy import select

from speakr.db import db, release
from speakr.domain.jobs import JobKind
from speakr.models import Event, Job


def event_types() -> list[str]:
    release()
    return [event.type.value for event in db.session.scalars(select(Event).order_by(Event.id))]


def job_of(recording_id: int, kind: JobKind = JobKind.TRANSCRIBE) -> Job:
    release()
    return db.session.scalars(
        select(Job).where(Job.recording_id == recording_id, Job.kind == kind).order_by(Job.id.desc()).limit(1)
    ).one()
