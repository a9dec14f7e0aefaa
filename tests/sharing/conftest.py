"""A recording with everything on it, and ways to show it to others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from flask import Flask

from speakr.db import db, unit_of_work
from speakr.domain.clock import now
from speakr.domain.jobs import JobState
from speakr.domain.permissions import GroupRole
from speakr.domain.recordings import RecordingStatus
from speakr.models import (
    CalendarEvent,
    Folder,
    Group,
    GroupMembership,
    Job,
    Recording,
    RecordingTag,
    Segment,
    Tag,
)
from speakr.settings import Settings
from tests.conftest import Person

R = "/api/v1/recordings"


@pytest.fixture
def recording(app: Flask, alice: Person, upload) -> int:
    """A recording of alice's with everything on it, twice uploaded, and finished."""
    made = upload(alice, title="Board", notes="my notes").json["id"]
    with unit_of_work() as session:
        tag, folder = Tag(user_id=alice.id, name="Secret"), Folder(user_id=alice.id, name="Hidden")
        session.add_all([tag, folder])
        session.flush()
        row = session.get_one(Recording, made)
        row.status, row.completed_at = RecordingStatus.COMPLETED, now()
        row.has_transcription = row.has_summary = True
        row.summary, row.participants = "The summary", "Ann"
        row.folder_id, row.is_highlighted, row.deletion_exempt = folder.id, True, True
        session.add(_copy_of(row))
        session.add(RecordingTag(recording_id=made, tag_id=tag.id, position=1))
        session.add(
            Segment(
                recording_id=made, position=0, start=0, end=1, text="Hello", speaker="SPEAKER_00", words=[]
            )
        )
        session.add(CalendarEvent(recording_id=made, title="Follow-up", start_at=now()))
        for job in session.query(Job):
            job.state = JobState.FAILED
    return made


@pytest.fixture
def share(alice: Person, recording: int) -> Callable[..., int]:
    def give(person: Person, **options: object) -> int:
        made = alice.post(f"{R}/{recording}/shares", json={"user_id": person.id, **options})
        assert made.status_code == 201, made.json
        return made.json["id"]

    return give


@pytest.fixture
def group(app: Flask, bob: Person, alice: Person, make_person: Callable[..., Person]) -> dict[str, int]:
    """A group of alice and bob, led by lee, with a tag and a folder."""
    lee = make_person("lee")
    with unit_of_work() as session:
        made = Group(name="Board")
        session.add(made)
        session.flush()
        for person in (alice, bob, lee):
            role = GroupRole.ADMIN if person is lee else GroupRole.MEMBER
            session.add(GroupMembership(group_id=made.id, user_id=person.id, role=role))
        tag, folder = Tag(group_id=made.id, name="Ours"), Folder(group_id=made.id, name="Ours")
        session.add_all([tag, folder])
        session.flush()
        return {"id": made.id, "tag_id": tag.id, "folder_id": folder.id}


def _copy_of(row: Recording) -> Recording:
    names = ("user_id", "title", "original_filename", "mime_type", "file_size", "sha256")
    return Recording(**{name: getattr(row, name) for name in names})


def change(kind: type, thing_id: int, **values: object) -> None:
    with unit_of_work() as session:
        for name, value in values.items():
            setattr(session.get_one(kind, thing_id), name, value)


def job_of(recording: int) -> int:
    with db.session.no_autoflush:
        return db.session.query(Job.id).filter_by(recording_id=recording).order_by(Job.id).first()[0]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, clip_start_seconds=0.1)
