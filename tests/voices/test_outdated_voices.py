"""Voices of an earlier model: made again from the stored audio, then recognised."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import select, update

from speakr.backends import get_backends
from speakr.db import db, release, unit_of_work
from speakr.domain.jobs import JobKind, JobState
from speakr.media.voices.weights import MODEL_VERSION
from speakr.models import Job, Recording, RecordingVoice
from speakr.services.speech import outdated_voices
from tests.conftest import Person
from tests.voices.conftest import Talk
from tests.voices.test_transcribing import assign, settings, speakers, transcribe, work

__all__ = ["settings", "transcribe", "work"]

V1 = "/api/v1"
OLD_VECTOR = b"\x00\x2c" * 256


def make_outdated(recording_id: int) -> None:
    """Store the voices of a recording as the earlier version did: 256 numbers of another model."""
    with unit_of_work():
        db.session.execute(
            update(RecordingVoice)
            .where(RecordingVoice.recording_id == recording_id)
            .values(vector=OLD_VECTOR, model="resemblyzer-0.1.4")
        )


def models_of(recording_id: int) -> dict[str, str]:
    release()
    rows = db.session.execute(
        select(RecordingVoice.label, RecordingVoice.model).where(RecordingVoice.recording_id == recording_id)
    )
    return {row.label: row.model for row in rows}


def last_job() -> Job:
    release()
    job = db.session.scalar(select(Job).where(Job.kind == JobKind.VOICES).order_by(Job.id.desc()).limit(1))
    assert job is not None
    return job


def is_outdated(person: Person) -> dict[str, bool]:
    return {
        each["name"]: each["has_outdated_voices"] for each in person.get(f"{V1}/speakers").json["speakers"]
    }


def test_an_outdated_profile_is_made_again_and_recognises(
    alice: Person, transcribe, work: Callable[[], None], dialogue: Talk, monologue: Talk
) -> None:
    first = transcribe(alice, dialogue)
    assign(alice, first, SPEAKER_00="Ann", SPEAKER_01="Tin")
    make_outdated(first)
    assert speakers(alice) == {"Ann": (False, None), "Tin": (False, None)}
    assert is_outdated(alice) == {"Ann": True, "Tin": True}
    unknown = transcribe(alice, monologue)
    shown = alice.get(f"{V1}/recordings/{unknown}/speakers").json["speakers"]
    assert [each["identified_name"] for each in shown] == [None], "vectors of two models are not compared"

    assert outdated_voices.queue_outdated() == 1
    assert outdated_voices.queue_outdated() == 0, "it is queued once"
    work()
    assert last_job().state is JobState.SUCCEEDED
    assert set(models_of(first).values()) == {MODEL_VERSION}
    assert speakers(alice)["Ann"][0]
    assert is_outdated(alice) == {"Ann": False, "Tin": False}
    again = transcribe(alice, monologue)
    shown = alice.get(f"{V1}/recordings/{again}/speakers").json["speakers"]
    assert [each["identified_name"] for each in shown] == ["Ann"]
    assert outdated_voices.queue_outdated() == 0


def test_without_audio_the_outdated_profile_stays(alice: Person, transcribe, dialogue: Talk) -> None:
    made = transcribe(alice, dialogue)
    assign(alice, made, SPEAKER_00="Ann")
    make_outdated(made)
    with unit_of_work():
        db.session.get_one(Recording, made).storage_key = None
    assert outdated_voices.queue_outdated() == 0
    assert is_outdated(alice) == {"Ann": True}
    assert set(models_of(made).values()) == {"resemblyzer-0.1.4"}


def test_voices_deleted_meanwhile_stay_deleted(
    alice: Person,
    transcribe,
    work: Callable[[], None],
    monologue: Talk,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = transcribe(alice, monologue)
    make_outdated(made)
    read = outdated_voices.speech

    def delete_after_reading(recording_id: int) -> outdated_voices.Speech:
        found = read(recording_id)
        release()
        assert alice.delete(f"{V1}/users/me/voices").json["deleted"] == 1
        return found

    assert outdated_voices.queue_outdated() == 1
    monkeypatch.setattr(outdated_voices, "speech", delete_after_reading)
    work()
    assert models_of(made) == {}


@pytest.mark.on_sqlite
def test_a_recording_is_tried_once_a_day(
    alice: Person, transcribe, work: Callable[[], None], monologue: Talk, app: object
) -> None:
    made = transcribe(alice, monologue)
    make_outdated(made)
    assert outdated_voices.queue_outdated() == 1
    key = db.session.get_one(Recording, made).storage_key
    release()
    get_backends().storage.delete(key)
    work()
    job = last_job()
    assert (job.state, job.error_code) == (JobState.FAILED, "audio_missing")
    assert outdated_voices.queue_outdated() == 0
    assert set(models_of(made).values()) == {"resemblyzer-0.1.4"}
