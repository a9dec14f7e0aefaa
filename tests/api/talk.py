"""A recording with a transcript, for tests of the language model."""

from __future__ import annotations

from typing import Any

from sqlalchemy import insert

from speakr.db import db, unit_of_work
from speakr.models import Recording, Segment
from speakr.services.accounts import usage
from tests.conftest import Person

TALK = [
    ("SPEAKER_00", "Hello, I'm Alice."),
    ("SPEAKER_01", "Hi Alice. The server costs nine thousand euros."),
    ("SPEAKER_00", "Thanks, Bob. When will it arrive?"),
    ("SPEAKER_01", "In March."),
]
ROUTES = ("chat", "regenerate_title", "speakers/identify")


def with_transcript(recording_id: int, said: list[tuple[str, str]]) -> int:
    with unit_of_work():
        db.session.execute(
            insert(Segment),
            [
                {
                    "recording_id": recording_id,
                    "position": at,
                    "start": at * 5.0,
                    "end": at * 5.0 + 4.5,
                    "speaker": speaker,
                    "text": text,
                    "words": [],
                }
                for at, (speaker, text) in enumerate(said)
            ],
        )
        db.session.get_one(Recording, recording_id).has_transcription = True
    return recording_id


def post(person: Person, recording_id: int, route: str, **body: Any) -> Any:
    return person.post(f"/api/v1/recordings/{recording_id}/{route}", json=body or {"message": "What?"})


def tokens_of(person: Person) -> int:
    db.session.rollback()
    return usage.this_month(person.id)[0]
