"""What tests of passages look at, and how their model fails."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import select

from speakr.db import db, release, unit_of_work
from speakr.models import Recording, RecordingPassage, Segment
from speakr.services.search import passages
from tests.api.library import say
from tests.conftest import Person


def passages_of(recording_id: int) -> list[RecordingPassage]:
    release()
    return list(
        db.session.scalars(
            select(RecordingPassage)
            .where(RecordingPassage.recording_id == recording_id)
            .order_by(RecordingPassage.position)
        )
    )


def state_of(person: Person, recording_id: int) -> str:
    return person.get(f"/api/v1/recordings/{recording_id}/status").json["status"]


def fail(error: Exception) -> Callable[[object], None]:
    def raise_it(_: object) -> None:
        raise error

    return raise_it


def replace_transcript(recording_id: int, *said: str) -> None:
    with unit_of_work() as session:
        session.query(Segment).filter_by(recording_id=recording_id).delete()
        passages.put_out_of_date(recording_id)
        session.get_one(Recording, recording_id).transcript_revision += 1
        say(session, recording_id, *said)
