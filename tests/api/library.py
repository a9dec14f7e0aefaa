"""Recordings with transcripts, for tests of questions about all recordings."""

from __future__ import annotations

from speakr.db import unit_of_work
from speakr.jobs import runner
from speakr.models import Recording, RecordingShare, Segment
from speakr.services.search import indexing, passages
from tests.conftest import Person
from tests.fakes import MemoryJobNotifier


def write(person: Person, *said: str, **values: object) -> int:
    """Write a recording with a segment per line."""
    known = {
        "title": "A title",
        "original_filename": "a.wav",
        "mime_type": "audio/wav",
        "file_size": 10,
        "sha256": "0" * 64,
        "has_transcription": True,
    }
    with unit_of_work() as session:
        row = Recording(user_id=person.id, **{**known, **values})
        session.add(row)
        session.flush()
        say(session, row.id, *said)
        indexing.index(row.id)
        return row.id


def say(session: object, recording_id: int, *said: str) -> None:
    session.add_all(
        Segment(
            recording_id=recording_id,
            position=position,
            start=position * 10.0,
            end=position * 10.0 + 9,
            speaker="SPEAKER_00",
            text=text,
            words=[],
        )
        for position, text in enumerate(said)
    )
    session.flush()


def embed_all(notifier: MemoryJobNotifier) -> None:
    """Embed everything that has no embedding yet."""
    while passages.queue_missing():
        while notifier.notifications:
            runner.run(notifier.notifications.pop(0)[1])


def share(recording_id: int, person: Person) -> None:
    with unit_of_work() as session:
        session.add(RecordingShare(recording_id=recording_id, user_id=person.id))
