"""A recording with words and times, for the tests of corrections."""

from __future__ import annotations

from typing import Any

from sqlalchemy import insert, select

from speakr.db import db, unit_of_work
from speakr.domain.recordings import RecordingStatus
from speakr.models import Recording, RecordingSpeaker, Segment
from speakr.services.search import indexing
from tests.api.library import write
from tests.conftest import Person

SPOKEN = (
    ("SPEAKER_00", "Good morning all."),
    ("SPEAKER_01", "Hello Miss Austin here."),
    ("SPEAKER_00", "We start with the budget."),
)
V1 = "/api/v1/recordings"


def spoken(person: Person, said: Any = SPOKEN, **values: Any) -> int:
    """Write a recording of segments of ten seconds, a word each second."""
    recording_id = write(
        person, **{"audio_duration": len(said) * 10.0, "status": RecordingStatus.COMPLETED, **values}
    )
    if not said:
        return recording_id
    with unit_of_work():
        db.session.execute(
            insert(Segment),
            [
                {
                    "recording_id": recording_id,
                    "position": at,
                    "start": at * 10.0,
                    "end": at * 10.0 + 9.0,
                    "speaker": speaker,
                    "confidence": 0.9,
                    "text": text,
                    "words": [
                        [word, at * 10.0 + n, at * 10.0 + n + 0.8, 0.9] for n, word in enumerate(text.split())
                    ],
                }
                for at, (speaker, text) in enumerate(said)
            ],
        )
        indexing.index(recording_id)
    return recording_id


def name(recording_id: int, label: str, known_as: str) -> None:
    with unit_of_work() as session:
        session.add(RecordingSpeaker(recording_id=recording_id, label=label, name=known_as, confirmed=True))


class Transcript:
    """A person's view of one transcript."""

    def __init__(self, person: Person, recording_id: int) -> None:
        self.person = person
        self.id = recording_id
        self.path = f"{V1}/{recording_id}/transcript"

    def read(self, **query: Any) -> Any:
        return self.person.get(self.path, query_string=query)

    def tag(self) -> str:
        return str(self.read().headers["ETag"])

    def segments(self, **query: Any) -> list[dict[str, Any]]:
        answer = self.read(**query)
        assert answer.status_code == 200, answer.json
        return list(answer.json["segments"])

    def said(self, **query: Any) -> list[str]:
        return [each["sentence"] for each in self.segments(**query)]

    def speakers(self) -> list[str]:
        return [each["speaker"] for each in self.segments()]

    def words(self, index: int) -> list[tuple[str, float, float, bool]]:
        answer = self.person.get(f"{self.path}/segments/{index}")
        return [
            (word["word"], word["start"], word["end"], word.get("edited", False))
            for word in answer.json["words"]
        ]

    def put(self, body: Any, **kwargs: Any) -> Any:
        return self.person.put(self.path, json=body, **kwargs)

    def patch(self, index: int, body: Any, **kwargs: Any) -> Any:
        return self.person.patch(f"{self.path}/segments/{index}", json=body, **kwargs)

    def post(self, action: str, body: Any = None, **kwargs: Any) -> Any:
        return self.person.post(f"{self.path}/{action}", json=body, **kwargs)

    def history(self) -> Any:
        return self.person.get(f"{self.path}/history").json


def positions(recording_id: int) -> list[int]:
    db.session.rollback()
    return list(
        db.session.scalars(
            select(Segment.position).where(Segment.recording_id == recording_id).order_by(Segment.position)
        )
    )


def revision(recording_id: int) -> int:
    db.session.rollback()
    return db.session.scalars(select(Recording.transcript_revision).where(Recording.id == recording_id)).one()
