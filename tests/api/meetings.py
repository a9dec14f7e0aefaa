"""Meetings with several speakers, and helpers to query them."""

from __future__ import annotations

import threading
from typing import Any

from flask import Flask
from sqlalchemy import select

from speakr.db import db, unit_of_work
from speakr.domain.events import EventType
from speakr.domain.recordings import RecordingStatus
from speakr.models import Event, Recording, Segment
from tests.conftest import Person

SPEAKERS = "/api/v1/speakers"


def meeting(person: Person, *labels: str, **values: Any) -> int:
    """Write a recording with these labels in turn directly to the tables; return its id."""
    with unit_of_work() as session:
        row = Recording(
            user_id=person.id,
            **{
                "title": "A meeting",
                "original_filename": "a.wav",
                "mime_type": "audio/wav",
                "file_size": 10,
                "sha256": "0" * 64,
                "storage_key": "audio/00/" + "0" * 32,
                "status": RecordingStatus.COMPLETED,
                "has_transcription": bool(labels),
                **values,
            },
        )
        session.add(row)
        session.flush()
        session.add_all(
            Segment(
                recording_id=row.id,
                position=position,
                start=position,
                end=position + 1,
                speaker=label,
                text=f"sentence {position}",
                words=[],
            )
            for position, label in enumerate(labels)
        )
        return row.id


def assign(person: Person, recording_id: int, speaker_map: Any, **more: Any) -> Any:
    return person.put(
        f"/api/v1/recordings/{recording_id}/speakers/assign", json={"speaker_map": speaker_map, **more}
    )


def add(person: Person, name: str) -> int:
    return int(person.post(SPEAKERS, json={"name": name}).json["id"])


def names(person: Person) -> dict[str, int]:
    return {each["name"]: each["use_count"] for each in person.get(SPEAKERS).json["speakers"]}


def participants(person: Person, recording_id: int) -> str | None:
    return person.get(f"/api/v1/recordings/{recording_id}").json["participants"]


def spoken(person: Person, recording_id: int) -> dict[str, str | None]:
    answer = person.get(f"/api/v1/recordings/{recording_id}/speakers")
    assert answer.status_code == 200, answer.json
    return {each["label"]: each["identified_name"] for each in answer.json["speakers"]}


def updates() -> list[dict[str, Any]]:
    found = db.session.scalars(
        select(Event).where(Event.type == EventType.RECORDING_UPDATED).order_by(Event.id)
    )
    return [each.data for each in found]


def at_once(app: Flask, person: Person, *requests: tuple[str, str, dict]) -> list[Any]:
    """Send requests from one thread each, all starting together; return their responses in order."""
    answers: list[Any] = [None] * len(requests)
    start = threading.Barrier(len(requests))

    def send(number: int, method: str, path: str, body: dict) -> None:
        client = app.test_client()
        start.wait()
        answers[number] = client.open(
            path, method=method, json=body, headers={"Authorization": f"Bearer {person.token}"}
        )

    threads = [threading.Thread(target=send, args=(n, *each)) for n, each in enumerate(requests)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers
