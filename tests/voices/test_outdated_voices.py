"""Voices of an earlier model: made again from the stored audio, then recognised."""

from __future__ import annotations

import io
import wave
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import select, update

from speakr.backends import get_backends, set_backends
from speakr.db import db, release, unit_of_work
from speakr.domain.jobs import JobKind, JobState
from speakr.media.voices.weights import MODEL_VERSION
from speakr.models import Job, Recording, RecordingVoice, Segment
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


def later(seconds: float) -> None:
    """Let the last job lie so far in the past."""
    with unit_of_work():
        job = db.session.scalar(
            select(Job).where(Job.kind == JobKind.VOICES).order_by(Job.id.desc()).limit(1)
        )
        assert job is not None
        job.queued_at -= timedelta(seconds=seconds)


def test_a_voice_without_usable_audio_stays_and_is_not_tried_again(
    alice: Person, transcribe, work: Callable[[], None], monologue: Talk
) -> None:
    made = transcribe(alice, monologue)
    assign(alice, made, SPEAKER_00="Ann")
    make_outdated(made)
    with unit_of_work():  # as in a transcript with times of another file
        db.session.execute(update(Segment).values(start=Segment.start + 9000, end=Segment.end + 9000))
    assert outdated_voices.queue_outdated() == 1
    work()
    assert last_job().state is JobState.SUCCEEDED
    assert set(models_of(made).values()) == {"resemblyzer-0.1.4"}
    assert is_outdated(alice) == {"Ann": True}
    later(3 * 86_400)
    assert outdated_voices.queue_outdated() == 0
    with unit_of_work():
        db.session.get_one(Recording, made).transcript_revision += 1
    assert outdated_voices.queue_outdated() == 1
    jobs = select(Job.state).where(Job.kind == JobKind.VOICES)
    assert db.session.scalars(jobs).all() == [JobState.QUEUED], "ended jobs do not pile up"


@pytest.mark.on_sqlite
def test_a_server_without_voice_profiles_makes_no_voices(
    alice: Person, transcribe, work: Callable[[], None], monologue: Talk
) -> None:
    made = transcribe(alice, monologue)
    make_outdated(made)
    assert outdated_voices.queue_outdated() == 1
    backends = get_backends()
    set_backends(replace(backends, settings=replace(backends.settings, voice_profiles=False)))
    work()
    assert set(models_of(made).values()) == {"resemblyzer-0.1.4"}
    assert (last_job().state, last_job().error_code) == (JobState.FAILED, "no_voice_profiles")
    later(3 * 86_400)
    assert outdated_voices.queue_outdated() == 0
    set_backends(backends)
    assert outdated_voices.queue_outdated() == 1, "profiles are wanted again"
    work()
    assert set(models_of(made).values()) == {MODEL_VERSION}


def retranscribe(person: Person, recording_id: int, work: Callable[[], None]) -> dict[str, str | None]:
    """Transcribe again; return the name of each label."""
    answer = person.post(f"{V1}/recordings/{recording_id}/transcribe", json={})
    assert answer.status_code in {200, 202}, answer.json
    work()
    shown = person.get(f"{V1}/recordings/{recording_id}/speakers").json["speakers"]
    return {each["label"]: each["identified_name"] if each["confirmed"] else None for each in shown}


def test_confirmed_names_stay_although_the_voices_are_of_an_earlier_model(
    alice: Person, transcribe, work: Callable[[], None], dialogue: Talk
) -> None:
    made = transcribe(alice, dialogue)
    assign(alice, made, SPEAKER_00="Ann", SPEAKER_01="Tin")
    make_outdated(made)
    assert retranscribe(alice, made, work) == {"SPEAKER_00": "Ann", "SPEAKER_01": "Tin"}
    assert set(models_of(made).values()) == {MODEL_VERSION}
    assert is_outdated(alice) == {"Ann": False, "Tin": False}


def test_a_confirmed_name_is_not_given_to_a_label_that_speaks_at_other_times(
    alice: Person, transcribe, work: Callable[[], None], dialogue: Talk
) -> None:
    made = transcribe(alice, dialogue)
    assign(alice, made, SPEAKER_00="Ann", SPEAKER_01="Tin")
    make_outdated(made)
    with unit_of_work():  # Ann spoke in the first of her three turns only
        first = db.session.scalar(select(Segment.end).order_by(Segment.position).limit(1))
        db.session.execute(
            update(Segment)
            .where(Segment.speaker == "SPEAKER_00", Segment.start > first)
            .values(speaker="SPEAKER_02")
        )
    assert retranscribe(alice, made, work) == {"SPEAKER_00": None, "SPEAKER_01": "Tin"}


@pytest.mark.on_sqlite
def test_voices_of_a_call_are_made_from_their_own_channels(
    alice: Person, upload, work: Callable[[], None], dialogue: Talk
) -> None:
    sides = np.zeros((len(dialogue.samples), 2), np.int16)
    for start, end, who in dialogue.turns:
        cut = slice(round(start * 16_000), round(end * 16_000))
        sides[cut, int(who == "machine")] = dialogue.samples[cut]
    time = np.arange(len(sides)) / 16_000  # a loud hum is on one line
    sides[:, 1] += (9000 * np.sin(2 * np.pi * 50 * time)).astype(np.int16) // 2
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((2, 2, 16_000, 0, "NONE", ""))
        file.writeframes(sides.astype("<i2").tobytes())
    answer = upload(alice, buffer.getvalue(), channels="separate")
    assert answer.status_code == 202, answer.json
    work()
    made = answer.json["id"]
    assert db.session.get_one(Recording, made).tracks[0]["is_split"]
    before = vectors_of(made)
    make_outdated(made)
    assert outdated_voices.queue_outdated() == 1
    work()
    assert last_job().state is JobState.SUCCEEDED
    after = vectors_of(made)
    assert set(after) == set(before) == {"SPEAKER_00", "SPEAKER_01"}
    for label, vector in after.items():
        assert float(vector @ before[label]) > 0.97, label


def vectors_of(recording_id: int) -> dict[str, np.ndarray]:
    release()
    rows = db.session.execute(
        select(RecordingVoice.label, RecordingVoice.vector).where(RecordingVoice.recording_id == recording_id)
    )
    return {row.label: np.frombuffer(row.vector, "<f2").astype(np.float32) for row in rows}


def test_recordings_made_of_others_keep_voices_of_an_earlier_model(
    alice: Person, transcribe, work: Callable[[], None], monologue: Talk
) -> None:
    made = transcribe(alice, monologue)
    assign(alice, made, SPEAKER_00="Ann")
    make_outdated(made)
    answer = alice.post(f"{V1}/recordings/{made}/cut", json={"at": len(monologue.samples) / 32_000})
    assert answer.status_code == 202, answer.json
    work()
    halves = [each["id"] for each in answer.json["recordings"]]
    assert [models_of(half) for half in halves] == 2 * [{"SPEAKER_00": "resemblyzer-0.1.4"}]
    assert outdated_voices.queue_outdated() == 3
    work()
    assert [models_of(half) for half in halves] == 2 * [{"SPEAKER_00": MODEL_VERSION}]
