"""Concurrent requests that name, rename and merge speakers."""

from __future__ import annotations

from flask import Flask
from sqlalchemy import select

from speakr.db import db, unit_of_work
from speakr.models import Recording, RecordingSpeaker
from tests.api.meetings import SPEAKERS, add, assign, at_once, meeting, names, participants, spoken
from tests.conftest import Person


def test_renaming_at_once_leaves_one_name(app: Flask, alice: Person) -> None:
    made = [meeting(alice, "SPEAKER_00") for _ in range(20)]
    for each in made:
        assign(alice, each, {"SPEAKER_00": "Ann"})
    (ann,) = alice.get(SPEAKERS).json["speakers"]
    wanted = [f"Name {n}" for n in range(8)]
    answers = at_once(app, alice, *(("PUT", f"{SPEAKERS}/{ann['id']}", {"name": name}) for name in wanted))
    assert {answer.status_code for answer in answers} == {200}
    ((name, count),) = names(alice).items()
    assert name in wanted
    assert count == 20
    with unit_of_work() as session:
        assert set(session.scalars(select(RecordingSpeaker.name))) == {name}
        assert set(session.scalars(select(Recording.participants))) == {name}


def test_renaming_two_who_share_a_list_at_once(app: Flask, alice: Person) -> None:
    made = [meeting(alice, "SPEAKER_00", "SPEAKER_01") for _ in range(10)]
    for each in made:
        assign(alice, each, {"SPEAKER_00": "Ann", "SPEAKER_01": "Bob"})
    ids = {each["name"]: each["id"] for each in alice.get(SPEAKERS).json["speakers"]}
    answers = at_once(
        app,
        alice,
        ("PUT", f"{SPEAKERS}/{ids['Ann']}", {"name": "Anna"}),
        ("PUT", f"{SPEAKERS}/{ids['Bob']}", {"name": "Bobby"}),
        *(
            ("PUT", f"/api/v1/recordings/{each}/speakers/assign", {"speaker_map": {"SPEAKER_00": "Carl"}})
            for each in made[:3]
        ),
    )
    assert {answer.status_code for answer in answers} == {200}
    assert [participants(alice, each) for each in made] == ["Bobby, Carl"] * 3 + ["Anna, Bobby"] * 7
    assert names(alice) == {"Bobby": 10, "Anna": 7, "Carl": 3}


def test_one_name_for_many_at_once_is_taken_once(app: Flask, alice: Person) -> None:
    answers = at_once(app, alice, *[("POST", SPEAKERS, {"name": "Ann"})] * 6)
    assert sorted(answer.status_code for answer in answers) == [201, 400, 400, 400, 400, 400]
    others = [add(alice, f"Other {n}") for n in range(4)]
    answers = at_once(app, alice, *(("PUT", f"{SPEAKERS}/{each}", {"name": "Bea"}) for each in others))
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]


def test_merging_into_each_other_at_once_leaves_one(app: Flask, alice: Person) -> None:
    made = meeting(alice, "SPEAKER_00", "SPEAKER_01")
    assign(alice, made, {"SPEAKER_00": "Ann", "SPEAKER_01": "Bea"})
    ids = {each["name"]: each["id"] for each in alice.get(SPEAKERS).json["speakers"]}
    answers = at_once(
        app,
        alice,
        ("POST", f"{SPEAKERS}/{ids['Ann']}/merge", {"into_id": ids["Bea"]}),
        ("POST", f"{SPEAKERS}/{ids['Bea']}/merge", {"into_id": ids["Ann"]}),
    )
    assert sorted(answer.status_code for answer in answers) == [200, 404]
    ((name, count),) = names(alice).items()
    assert (participants(alice, made), count) == (name, 1)


def test_assigning_at_once_ends_in_one_of_the_outcomes(app: Flask, alice: Person) -> None:
    made = meeting(alice, "SPEAKER_00", "SPEAKER_01")
    path = f"/api/v1/recordings/{made}/speakers/assign"
    answers = at_once(
        app,
        alice,
        *(("PUT", path, {"speaker_map": {"SPEAKER_00": f"Ann {n}", "SPEAKER_01": "Both"}}) for n in range(6)),
    )
    assert {answer.status_code for answer in answers} == {200}
    ann = spoken(alice, made)["SPEAKER_00"]
    assert participants(alice, made) == f"{ann}, Both"
    assert {name: count for name, count in names(alice).items() if count} == {ann: 1, "Both": 1}
    db.session.rollback()
    assert len(db.session.scalars(select(RecordingSpeaker)).all()) == 2


def test_one_new_name_in_many_recordings_at_once_is_one_speaker(app: Flask, alice: Person) -> None:
    made = [meeting(alice, "SPEAKER_00") for _ in range(6)]
    answers = at_once(
        app,
        alice,
        *(
            ("PUT", f"/api/v1/recordings/{each}/speakers/assign", {"speaker_map": {"SPEAKER_00": "Ann"}})
            for each in made
        ),
        ("POST", SPEAKERS, {"name": "Ann"}),
    )
    assert {answer.status_code for answer in answers[:-1]} == {200}
    assert answers[-1].status_code in {201, 400}
    assert names(alice) == {"Ann": 6}
