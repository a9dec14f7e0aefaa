"""Speakers: their list, and a rename that changes all recordings at once."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, select

from speakr.db import db, unit_of_work
from speakr.domain.permissions import Scope
from speakr.models import Delivery, Recording, RecordingSpeaker, Webhook
from tests.api.meetings import SPEAKERS, add, assign, meeting, names, participants, updates
from tests.conftest import Person

# -- the list


def test_an_empty_list(alice: Person) -> None:
    assert alice.get(SPEAKERS).json["speakers"] == []


def test_a_new_speaker(alice: Person, bob: Person) -> None:
    made = alice.post(SPEAKERS, json={"name": "  Jane \t Smith\n"})
    assert made.status_code == 201
    assert made.json["name"] == "Jane Smith"
    assert set(made.json) == {"id", "name", "use_count", "created_at"}
    assert made.json["use_count"] == 0
    assert made.json["created_at"].endswith("Z")
    assert alice.get(SPEAKERS).json["speakers"] == [
        {
            "id": made.json["id"],
            "name": "Jane Smith",
            "use_count": 0,
            "last_used": None,
            "confidence_score": None,
            "has_voice_profile": False,
            "has_outdated_voices": False,
        }
    ]
    assert names(bob) == {}


def test_a_name_is_taken_once_per_person(alice: Person, bob: Person) -> None:
    add(alice, "Jane")
    again = alice.post(SPEAKERS, json={"name": " Jane "})
    assert (again.status_code, again.json["error"]) == (400, "Speaker with this name already exists")
    assert again.json["code"] == "name_taken"
    assert bob.post(SPEAKERS, json={"name": "Jane"}).status_code == 201


@pytest.mark.parametrize(
    "body", [{}, {"name": ""}, {"name": " \t\n"}, {"name": None}, {"name": "\u0000\u200b\u202e \u200d"}]
)
def test_a_name_is_required(alice: Person, body: dict) -> None:
    known = add(alice, "Jane")
    for answer in (alice.post(SPEAKERS, json=body), alice.put(f"{SPEAKERS}/{known}", json=body)):
        assert (answer.status_code, answer.json["error"]) == (400, "Speaker name is required")
    assert names(alice) == {"Jane": 0}


@pytest.mark.parametrize(
    "name",
    [
        5,
        True,
        1.5,
        ["Jane"],
        {"a": 1},
        "x" * 121,
        "x" * 50_000,
        "Smith, Jane",
        ",",
        "SPEAKER_00",
        "speaker_7",
    ],
    ids=str,
)
def test_what_is_no_name_is_refused_and_named(alice: Person, name: Any) -> None:
    known = add(alice, "Jane")
    for answer in (
        alice.post(SPEAKERS, json={"name": name}),
        alice.put(f"{SPEAKERS}/{known}", json={"name": name}),
    ):
        assert answer.status_code == 400
        assert "name" in answer.json["errors"]
        assert len(answer.json["error"]) < 300
    assert names(alice) == {"Jane": 0}


@pytest.mark.on_sqlite
@pytest.mark.parametrize("body", [b"[]", b'"x"', b"null", b"{", b'{"name": "\\ud800"}', b"\xff"])
def test_bodies_that_are_no_objects(alice: Person, body: bytes) -> None:
    answer = alice.post(SPEAKERS, data=body, content_type="application/json")
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("Zoe\u0308", "Zo\u00eb"),
        ("Ja\u0000ne\u202eX", "JaneX"),
        ("Ja\u0007ne\r\nSmith", "Jane Smith"),
        ("李 雷", "李 雷"),
        ("%_/\\'\"", "%_/\\'\""),
    ],
)
def test_names_are_kept_as_text_on_one_line(alice: Person, raw: str, kept: str) -> None:
    assert alice.post(SPEAKERS, json={"name": raw}).json["name"] == kept


@pytest.mark.parametrize("method", ["put", "delete"])
@pytest.mark.parametrize("speaker_id", ["999", "0", "-1", "x", str(2**63), str(2**31)])
def test_speakers_that_are_not_there(alice: Person, method: str, speaker_id: str) -> None:
    answer = getattr(alice, method)(f"{SPEAKERS}/{speaker_id}", json={"name": "N"})
    assert answer.status_code == 404


def test_other_peoples_speakers_do_not_exist(alice: Person, bob: Person) -> None:
    hers, his = add(alice, "Jane"), add(bob, "Jane")
    for answer in (
        bob.put(f"{SPEAKERS}/{hers}", json={"name": "Mallory"}),
        bob.delete(f"{SPEAKERS}/{hers}"),
        bob.post(f"{SPEAKERS}/{hers}/merge", json={"into_id": his}),
        bob.post(f"{SPEAKERS}/{his}/merge", json={"into_id": hers}),
    ):
        assert (answer.status_code, answer.json["code"]) == (404, "not_found")
    assert names(alice) == names(bob) == {"Jane": 0}


def test_the_list_is_by_use_then_by_last_use_then_by_age(alice: Person) -> None:
    for name in ("Never 1", "Never 2", "Old", "Recent", "Often"):
        add(alice, name)
    first, second = (meeting(alice, "SPEAKER_00", "SPEAKER_01") for _ in range(2))
    assign(alice, first, {"SPEAKER_00": "Old", "SPEAKER_01": "Often"})
    assign(alice, second, {"SPEAKER_00": "Recent", "SPEAKER_01": "Often"})
    listed = alice.get(SPEAKERS).json["speakers"]
    assert [each["name"] for each in listed] == ["Often", "Recent", "Old", "Never 1", "Never 2"]
    assert [each["use_count"] for each in listed] == [2, 1, 1, 0, 0]
    assert listed[1]["last_used"] >= listed[2]["last_used"]
    assert listed[3]["last_used"] is None


def test_what_a_token_needs(make_person) -> None:
    reader = make_person("reader", scopes=frozenset({Scope.READ}))
    assert reader.get(SPEAKERS).status_code == 200
    assert reader.post(SPEAKERS, json={"name": "Jane"}).json["code"] == "scope_missing"


def test_one_idempotency_key_adds_one_speaker(alice: Person) -> None:
    answers = [
        alice.post(SPEAKERS, json={"name": "Jane"}, headers={"Idempotency-Key": "k"}) for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json == answers[1].json


# -- renaming


def test_a_new_name_shows_everywhere_at_once(alice: Person) -> None:
    made = meeting(alice, "SPEAKER_00", "SPEAKER_01", "SPEAKER_00")
    assign(alice, made, {"SPEAKER_00": "Jane", "SPEAKER_01": "John"})
    jane = next(each["id"] for each in alice.get(SPEAKERS).json["speakers"] if each["name"] == "Jane")

    answer = alice.put(f"{SPEAKERS}/{jane}", json={"name": "Jane <Doe>"})

    assert answer.json == {"success": True, "speaker": {"id": jane, "name": "Jane <Doe>", "use_count": 1}}
    path = f"/api/v1/recordings/{made}"
    assert participants(alice, made) == "Jane <Doe>, John"
    assert alice.get(path).json["transcription"].splitlines()[0] == "[Jane <Doe>]: sentence 0"
    transcript = alice.get(f"{path}/transcript").json["segments"]
    assert [each["speaker"] for each in transcript] == ["Jane <Doe>", "John", "Jane <Doe>"]
    assert "[Jane <Doe>]: sentence 2" in alice.get(f"{path}/transcript?format=text").json["content"]
    assert "<v Jane &lt;Doe&gt;>sentence 0" in alice.get(f"{path}/transcript?format=vtt").json["content"]
    assert alice.get(f"{path}/speakers").json["speakers"][0] == {
        "label": "SPEAKER_00",
        "identified_name": "Jane <Doe>",
        "speaker_id": jane,
        "segment_count": 2,
        "confirmed": True,
    }
    assert [item["id"] for item in alice.get("/api/v1/recordings?q=<Doe>").json["recordings"]] == [made]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Ann", "Bea"),
        ("Zoe, Ann, Carl", "Zoe, Bea, Carl"),
        ("Zoe,Ann ,  Carl", "Zoe,Bea ,  Carl"),
        ("Ann, Ann", "Bea"),
        ("Bea, Ann, Zoe", "Bea, Zoe"),
        ("Anna, Joann", "Anna, Joann"),
        ("Mary Ann", "Mary Ann"),
        ("ann, ANN", "ann, ANN"),
        (None, None),
        ("", ""),
    ],
)
def test_only_whole_names_in_lists_are_changed(alice: Person, before: str | None, after: str | None) -> None:
    ann = add(alice, "Ann")
    made = meeting(alice, "SPEAKER_00", participants=before)
    assert alice.put(f"{SPEAKERS}/{ann}", json={"name": "Bea"}).status_code == 200
    assert participants(alice, made) == after
    assert len(updates()) == (before != after)


@pytest.mark.parametrize("name", ["%", "_", "100%", "a_c", "/", "\\", "'", "(a|b)*"])
def test_names_are_no_patterns(alice: Person, name: str) -> None:
    known = add(alice, name)
    theirs, other = meeting(alice, participants=f"X, {name}"), meeting(alice, participants="100 x, abc, ann")
    alice.put(f"{SPEAKERS}/{known}", json={"name": "Bea"})
    assert participants(alice, theirs) == "X, Bea"
    assert participants(alice, other) == "100 x, abc, ann"


def test_only_the_owners_recordings_are_changed(alice: Person, bob: Person) -> None:
    hers, his = (meeting(each, "SPEAKER_00", participants="Ann") for each in (alice, bob))
    for person, made in ((alice, hers), (bob, his)):
        assign(person, made, {"SPEAKER_00": "Ann"})
    (ann,) = alice.get(SPEAKERS).json["speakers"]
    alice.put(f"{SPEAKERS}/{ann['id']}", json={"name": "Bea"})
    assert (participants(alice, hers), participants(bob, his)) == ("Bea", "Ann")
    assert names(bob) == {"Ann": 1}
    assert bob.get(f"/api/v1/recordings/{his}/speakers").json["speakers"][0]["identified_name"] == "Ann"


def test_events_name_only_recordings_that_change(app: Flask, alice: Person) -> None:
    listed = meeting(alice, "SPEAKER_00")
    assign(alice, listed, {"SPEAKER_00": "Ann"})
    renamed_by_hand = meeting(alice, "SPEAKER_00")
    assign(alice, renamed_by_hand, {"SPEAKER_00": "Ann"})
    alice.patch(f"/api/v1/recordings/{renamed_by_hand}", json={"participants": "Everybody"})
    similar = meeting(alice, participants="Annabel")

    def times() -> dict[int, Any]:
        db.session.rollback()
        return dict(db.session.execute(select(Recording.id, Recording.updated_at)).all())

    count_before, before = len(updates()), times()
    (ann,) = alice.get(SPEAKERS).json["speakers"]
    alice.put(f"{SPEAKERS}/{ann['id']}", json={"name": "Bea"})
    after = times()
    assert after[listed] > before[listed]
    assert after[renamed_by_hand] > before[renamed_by_hand]
    assert after[similar] == before[similar]
    assert updates()[count_before:] == [
        {"recording_id": listed, "title": "A meeting", "fields_changed": ["participants"]}
    ]


def test_listening_webhooks_get_a_delivery_for_each_recording(app: Flask, alice: Person, notifier) -> None:
    with unit_of_work() as session:
        session.add(
            Webhook(
                user_id=alice.id,
                name="w",
                url="https://example.com/hook",
                events=["recording.updated"],
                secret_sealed="x",
            )
        )
    ann = add(alice, "Ann")
    made = {meeting(alice, participants="Ann") for _ in range(3)}
    alice.put(f"{SPEAKERS}/{ann}", json={"name": "Bea"})
    assert {each["recording_id"] for each in updates()} == made
    assert len(db.session.scalars(select(Delivery)).all()) == 3
    assert notifier.wakes == 1


def test_the_same_name_again_changes_nothing(alice: Person) -> None:
    ann = add(alice, "Ann")
    meeting(alice, participants="Ann")
    assert alice.put(f"{SPEAKERS}/{ann}", json={"name": " Ann "}).status_code == 200
    assert updates() == []


def test_a_name_that_is_taken_changes_nothing(alice: Person) -> None:
    ann = add(alice, "Ann")
    add(alice, "Bea")
    made = meeting(alice, participants="Ann")
    answer = alice.put(f"{SPEAKERS}/{ann}", json={"name": "Bea"})
    assert (answer.status_code, answer.json["error"]) == (400, "Speaker with this name already exists")
    assert names(alice) == {"Ann": 0, "Bea": 0}
    assert participants(alice, made) == "Ann"


def test_a_participant_list_that_would_overflow_stays_complete(alice: Person) -> None:
    ann = add(alice, "Ann")
    full = "Ann, " + "x" * 995
    fine, made = meeting(alice, participants="Ann"), meeting(alice, participants=full)
    answer = alice.put(f"{SPEAKERS}/{ann}", json={"name": "Annabel"})
    assert answer.status_code == 400
    assert f"recording {made}" in answer.json["error"]
    assert (participants(alice, fine), participants(alice, made)) == ("Ann", full)
    assert names(alice) == {"Ann": 0}


def test_a_thousand_recordings_take_no_more_statements_than_one(app: Flask, alice: Person) -> None:
    def cost(amount: int, old: str, new: str) -> int:
        known = add(alice, old)
        made = [meeting(alice, participants=f"{old}, Zoe") for _ in range(amount)]
        with unit_of_work() as session:
            session.add_all(
                RecordingSpeaker(recording_id=each, label="SPEAKER_00", name=old, speaker_id=known)
                for each in made
            )
        statements: list[str] = []

        def note(_connection, _cursor, statement, *_rest: object) -> None:
            statements.append(statement)

        event.listen(db.engine, "before_cursor_execute", note)
        try:
            answer = alice.put(f"{SPEAKERS}/{known}", json={"name": new})
        finally:
            event.remove(db.engine, "before_cursor_execute", note)
        assert answer.json["speaker"]["use_count"] == amount
        assert participants(alice, made[-1]) == f"{new}, Zoe"
        return len(statements)

    one, many = cost(1, "Ann", "Bea"), cost(300, "Carl", "Dan")
    assert many <= one + 3  # rows are inserted some hundreds at a time


def test_a_speaker_who_was_deleted_and_made_again_is_the_same_by_name(alice: Person) -> None:
    made = meeting(alice, "SPEAKER_00")
    assign(alice, made, {"SPEAKER_00": "Ann"})
    (ann,) = alice.get(SPEAKERS).json["speakers"]
    alice.delete(f"{SPEAKERS}/{ann['id']}")
    again = add(alice, "Ann")
    answer = alice.put(f"{SPEAKERS}/{again}", json={"name": "Bea"})
    assert answer.json["speaker"]["use_count"] == 1
    assert participants(alice, made) == "Bea"
    assert "[Bea]" in alice.get(f"/api/v1/recordings/{made}").json["transcription"]


def test_deleting_keeps_the_name_in_transcripts(alice: Person) -> None:
    made = meeting(alice, "SPEAKER_00")
    assign(alice, made, {"SPEAKER_00": "Ann"})
    (ann,) = alice.get(SPEAKERS).json["speakers"]
    assert alice.delete(f"{SPEAKERS}/{ann['id']}").json == {"success": True, "message": "Speaker deleted"}
    assert alice.delete(f"{SPEAKERS}/{ann['id']}").status_code == 404
    assert names(alice) == {}
    assert participants(alice, made) == "Ann"
    assert "[Ann]" in alice.get(f"/api/v1/recordings/{made}").json["transcription"]
    assert alice.get(f"/api/v1/recordings/{made}/speakers").json["speakers"][0]["speaker_id"] is None


# -- merging


def test_two_become_one(alice: Person) -> None:
    both, one = meeting(alice, "SPEAKER_00", "SPEAKER_01"), meeting(alice, "SPEAKER_00")
    assign(alice, both, {"SPEAKER_00": "Jon", "SPEAKER_01": "John Smith"})
    assign(alice, one, {"SPEAKER_00": "Jon"})
    ids = {each["name"]: each["id"] for each in alice.get(SPEAKERS).json["speakers"]}
    answer = alice.post(f"{SPEAKERS}/{ids['Jon']}/merge", json={"into_id": ids["John Smith"]})
    assert answer.json == {
        "success": True,
        "speaker": {"id": ids["John Smith"], "name": "John Smith", "use_count": 2},
    }
    assert names(alice) == {"John Smith": 2}
    assert participants(alice, both) == participants(alice, one) == "John Smith"
    spoken = alice.get(f"/api/v1/recordings/{both}/speakers").json["speakers"]
    assert {each["speaker_id"] for each in spoken} == {ids["John Smith"]}
    assert alice.get(SPEAKERS).json["speakers"][0]["last_used"] is not None


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"into_id": None}, 400),
        ({"into_id": "1"}, 400),
        ({"into_id": True}, 400),
        ({"into_id": [1]}, 400),
        ({"into_id": 0}, 400),
        ({"into_id": 2**63}, 400),
        ({"into_id": 2_147_483_647}, 404),
    ],
)
def test_whom_to_merge_into(alice: Person, body: dict, status: int) -> None:
    jon = add(alice, "Jon")
    assert alice.post(f"{SPEAKERS}/{jon}/merge", json=body).status_code == status
    assert alice.post(f"{SPEAKERS}/{jon}/merge", json={"into_id": jon}).json["errors"] == {
        "into_id": ["is the same speaker"]
    }
    assert names(alice) == {"Jon": 0}
