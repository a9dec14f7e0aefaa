"""Splitting a speaker into two."""

from __future__ import annotations

import pytest

from tests.api.meetings import SPEAKERS, add, assign, meeting, names, participants, spoken, updates
from tests.conftest import Person


@pytest.fixture
def recordings(alice: Person) -> list[int]:
    """Three recordings in which Ann is named, with Bea in the last."""
    made = [meeting(alice, "SPEAKER_00", "SPEAKER_01") for _ in range(3)]
    for recording_id in made:
        assign(alice, recording_id, {"SPEAKER_00": "Ann"})
    assign(alice, made[2], {"SPEAKER_01": "Bea"})
    return made


def ann(person: Person) -> int:
    return next(each["id"] for each in person.get(SPEAKERS).json["speakers"] if each["name"] == "Ann")


def split(person: Person, speaker_id: int, name: object, *recording_ids: object):
    return person.post(
        f"{SPEAKERS}/{speaker_id}/split", json={"name": name, "recording_ids": list(recording_ids)}
    )


def test_some_recordings_get_another_speaker(alice: Person, recordings: list[int]) -> None:
    count_before = len(updates())
    answer = split(alice, ann(alice), "Anna", recordings[0], recordings[2])
    assert (answer.status_code, answer.json["speaker"]["name"], answer.json["speaker"]["use_count"]) == (
        201, "Anna", 2,
    )  # fmt: skip
    assert names(alice) == {"Anna": 2, "Ann": 1, "Bea": 1}
    assert [spoken(alice, made)["SPEAKER_00"] for made in recordings] == ["Anna", "Ann", "Anna"]
    assert [participants(alice, made) for made in recordings] == ["Anna", "Ann", "Anna, Bea"]
    assert len(updates()) == count_before + 2


def test_only_recordings_where_they_are_named(alice: Person, recordings: list[int]) -> None:
    other = meeting(alice, "SPEAKER_00")
    answer = split(alice, ann(alice), "Anna", recordings[0], other)
    assert (answer.status_code, list(answer.json["errors"])) == (400, ["recording_ids"])
    assert names(alice) == {"Ann": 3, "Bea": 1}


def test_the_name_must_be_free(alice: Person, recordings: list[int]) -> None:
    assert split(alice, ann(alice), "Bea", recordings[0]).json["code"] == "name_taken"
    assert split(alice, ann(alice), " ", recordings[0]).status_code == 400
    assert spoken(alice, recordings[0])["SPEAKER_00"] == "Ann"


@pytest.mark.parametrize(
    "body", [{}, {"name": "x"}, {"name": "x", "recording_ids": []}, {"recording_ids": [1]}]
)
def test_both_fields_are_needed(alice: Person, body: dict) -> None:
    assert alice.post(f"{SPEAKERS}/{add(alice, 'Ann')}/split", json=body).status_code in {400, 422}


def test_a_speaker_of_another_user(alice: Person, bob: Person, recordings: list[int]) -> None:
    assert split(bob, ann(alice), "Anna", recordings[0]).status_code == 404
