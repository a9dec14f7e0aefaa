"""Voice profiles: learned, suggested, assigned and left open."""

from __future__ import annotations

import numpy as np
import pytest
from flask import Flask
from sqlalchemy import select

from speakr.backends import get_backends, set_backends
from speakr.db import db, unit_of_work
from speakr.models import Recording, RecordingVoice
from speakr.services.speech import recording_speakers, voice_profiles
from speakr.services.speech.voice_profiles import ProfileVoice
from tests.api.meetings import SPEAKERS, assign, meeting, participants, spoken
from tests.conftest import Person


def sounding(towards: float, *, other: int = 1) -> bytes:
    """Return a voice with this cosine to `sounding(1)`."""
    vector = np.zeros(192)
    vector[0], vector[other] = towards, (1 - towards**2) ** 0.5
    return vector.astype("<f2").tobytes()


def talk(person: Person, *voices: tuple[bytes, float]) -> int:
    """Write a recording with a speaker for each voice (and seconds); return its id."""
    labels = [f"SPEAKER_{at:02d}" for at in range(len(voices))]
    made = meeting(person, *labels)
    with unit_of_work():
        voice_profiles.keep(
            made,
            [
                ProfileVoice(label, vector, seconds)
                for label, (vector, seconds) in zip(labels, voices, strict=True)
            ],
        )
    return made


def recognise(recording_id: int, least: float = 0.75) -> None:
    with unit_of_work() as session:
        recording_speakers.recognise(session.get_one(Recording, recording_id), least)


def suggestions(person: Person, recording_id: int) -> dict[str, list[tuple[str, float]]]:
    found = person.get(f"/api/v1/recordings/{recording_id}/speakers").json["suggestions"]
    return {label: [(each["name"], each["similarity"]) for each in likely] for label, likely in found.items()}


def confirmed(person: Person, recording_id: int) -> list[bool]:
    shown = person.get(f"/api/v1/recordings/{recording_id}/speakers").json["speakers"]
    return [each["confirmed"] for each in shown]


def profile(person: Person, name: str) -> float | None:
    (score,) = [
        each["confidence_score"] for each in person.get(SPEAKERS).json["speakers"] if each["name"] == name
    ]
    return score


@pytest.fixture
def ann(app: Flask, alice: Person) -> int:
    """The recording from which Ann's voice was learned."""
    made = talk(alice, (sounding(1), 30.0))
    assign(alice, made, {"SPEAKER_00": "Ann"})
    return made


def test_likeness_decides_between_naming_suggesting_and_silence(alice: Person, ann: int) -> None:
    made = talk(alice, (sounding(0.9), 9.0), (sounding(0.76, other=2), 9.0), (sounding(0.5, other=3), 9.0))
    assert suggestions(alice, made) == {
        "SPEAKER_00": [("Ann", pytest.approx(90, abs=0.2))],
        "SPEAKER_01": [("Ann", pytest.approx(76, abs=0.2))],
    }
    recognise(made)
    assert spoken(alice, made) == {"SPEAKER_00": "Ann", "SPEAKER_01": None, "SPEAKER_02": None}
    assert participants(alice, made) == "Ann"
    assert confirmed(alice, made) == [False, False, False]
    assign(alice, made, {"SPEAKER_00": "Ann"})
    assert confirmed(alice, made) == [True, False, False]


def test_a_stricter_threshold_applies_and_a_laxer_one_does_not(alice: Person, ann: int) -> None:
    made = talk(alice, (sounding(0.82), 9.0))
    recognise(made, 0.85)
    assert spoken(alice, made) == {"SPEAKER_00": None}
    recognise(made, 0.65)
    assert spoken(alice, made) == {"SPEAKER_00": "Ann"}
    doubtful = talk(alice, (sounding(0.66), 9.0))
    recognise(doubtful, 0.6)
    assert spoken(alice, doubtful) == {"SPEAKER_00": None}


def test_two_who_sound_alike_are_suggested_and_neither_is_named(alice: Person, ann: int) -> None:
    assign(alice, talk(alice, (sounding(0.97), 30.0)), {"SPEAKER_00": "Bea"})
    made = talk(alice, (sounding(0.99), 9.0))
    assert [name for name, _ in suggestions(alice, made)["SPEAKER_00"]] in (["Ann", "Bea"], ["Bea", "Ann"])
    recognise(made)
    assert spoken(alice, made) == {"SPEAKER_00": None}


def test_no_speaker_matches_two_voices_of_one_recording(alice: Person, ann: int) -> None:
    made = talk(alice, (sounding(0.85), 9.0), (sounding(0.95), 9.0))
    recognise(made)
    assert spoken(alice, made) == {"SPEAKER_00": None, "SPEAKER_01": "Ann"}


def test_participants_written_by_hand_stay(alice: Person, ann: int) -> None:
    made = talk(alice, (sounding(0.95), 9.0))
    alice.patch(f"/api/v1/recordings/{made}", json={"participants": "Zoe"})
    recognise(made)
    assert participants(alice, made) == "Ann, Zoe"


def test_a_profile_needs_enough_speech(alice: Person) -> None:
    short = talk(alice, (sounding(1), 4.0))
    assign(alice, short, {"SPEAKER_00": "Ann"})
    assert profile(alice, "Ann") is None
    made = talk(alice, (sounding(1), 4.0))
    assert suggestions(alice, made) == {}
    assign(alice, made, {"SPEAKER_00": "Ann"})
    assert profile(alice, "Ann") == pytest.approx(8 / 18, abs=0.01)
    third = talk(alice, (sounding(1), 4.0))
    recognise(third)
    assert spoken(alice, third) == {"SPEAKER_00": None}, "8 seconds suggest and do not name"
    assert [name for name, _ in suggestions(alice, third)["SPEAKER_00"]] == ["Ann"]


def test_merging_brings_profiles_together_and_deleting_forgets(alice: Person, ann: int) -> None:
    assign(alice, talk(alice, (sounding(0.9), 30.0)), {"SPEAKER_00": "Anna"})
    ids = {each["name"]: each["id"] for each in alice.get(SPEAKERS).json["speakers"]}
    alice.post(f"{SPEAKERS}/{ids['Anna']}/merge", json={"into_id": ids["Ann"]})
    assert profile(alice, "Ann") == pytest.approx(60 / 70, abs=0.01)
    alice.delete(f"/api/v1/recordings/{ann}")
    assert profile(alice, "Ann") == pytest.approx(30 / 40, abs=0.01)
    alice.delete(f"{SPEAKERS}/{ids['Ann']}")
    assert suggestions(alice, talk(alice, (sounding(1), 9.0))) == {}


def test_splitting_splits_profiles(alice: Person, ann: int) -> None:
    other = talk(alice, (sounding(0.1), 10.0))
    assign(alice, other, {"SPEAKER_00": "Ann"})
    (ann_id,) = [each["id"] for each in alice.get(SPEAKERS).json["speakers"]]
    alice.post(f"{SPEAKERS}/{ann_id}/split", json={"name": "Bea", "recording_ids": [other]})
    assert (profile(alice, "Ann"), profile(alice, "Bea")) == (0.75, 0.5)


def test_only_the_latest_observations_count(alice: Person, ann: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voice_profiles, "MAX_OBSERVED", 1)
    assign(alice, talk(alice, (sounding(0, other=7), 30.0)), {"SPEAKER_00": "Ann"})
    made = talk(alice, (sounding(0, other=7), 9.0))
    assert suggestions(alice, made) == {"SPEAKER_00": [("Ann", 100.0)]}


def test_voices_of_another_model_are_not_compared(app: Flask, alice: Person, ann: int) -> None:
    made = talk(alice, (sounding(1), 9.0))
    with unit_of_work() as session:
        session.get_one(RecordingVoice, (ann, "SPEAKER_00")).model = "older"
    assert profile(alice, "Ann") is None
    assert suggestions(alice, made) == {}


def test_voices_of_another_user(alice: Person, bob: Person, ann: int) -> None:
    made = talk(bob, (sounding(1), 9.0))
    assert suggestions(bob, made) == {}
    assert bob.delete("/api/v1/users/me/voices").json["deleted"] == 1
    assert [voice.recording_id for voice in db.session.scalars(select(RecordingVoice))] == [ann]


def test_a_server_that_is_not_to_learn_voices(app: Flask, alice: Person, ann: int) -> None:
    from dataclasses import replace

    set_backends(replace(get_backends(), settings=replace(get_backends().settings, voice_profiles=False)))
    made = talk(alice, (sounding(1), 9.0))
    assert [voice.recording_id for voice in db.session.scalars(select(RecordingVoice))] == [ann]
    assert (profile(alice, "Ann"), suggestions(alice, made)) == (None, {})
    recognise(made)
    assert spoken(alice, made) == {"SPEAKER_00": None}
