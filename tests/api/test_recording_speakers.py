"""Speakers of a recording: list, assign, unassign."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from speakr.db import db, unit_of_work
from speakr.domain.jobs import JobKind
from speakr.domain.permissions import Scope
from speakr.domain.transcript import Span
from speakr.jobs import runner, transcribe
from speakr.models import Event, Job, Recording, RecordingShare, User
from speakr.services.speech import voice_profiles
from speakr.services.speech.voice_profiles import Suggestion
from tests.api.meetings import SPEAKERS, add, assign, meeting, names, participants, spoken, updates
from tests.conftest import Person, wav


def share(recording_id: int, person: Person, *, can_edit: bool) -> None:
    with unit_of_work() as session:
        session.add(RecordingShare(recording_id=recording_id, user_id=person.id, can_edit=can_edit))


# -- looking


def test_labels_come_in_order_of_first_appearance(alice: Person) -> None:
    made = meeting(alice, "SPEAKER_02", "SPEAKER_00", "SPEAKER_02", "SPEAKER_01")
    assert alice.get(f"/api/v1/recordings/{made}/speakers").json == {
        "speakers": [
            {
                "label": label,
                "identified_name": None,
                "speaker_id": None,
                "segment_count": count,
                "confirmed": False,
            }
            for label, count in (("SPEAKER_02", 2), ("SPEAKER_00", 1), ("SPEAKER_01", 1))
        ],
        "suggestions": {},
    }


def test_without_a_transcript_there_are_no_speakers(alice: Person) -> None:
    made = meeting(alice)
    assert alice.get(f"/api/v1/recordings/{made}/speakers").json == {"speakers": [], "suggestions": {}}


def test_voices_suggest_names_for_the_nameless_to_the_owner_only(
    alice: Person, bob: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = meeting(alice, "SPEAKER_00", "SPEAKER_01")
    assign(alice, made, {"SPEAKER_00": "Ann"})
    share(made, bob, can_edit=True)
    monkeypatch.setattr(
        voice_profiles,
        "suggest",
        lambda _recording, labels: {label: [Suggestion(7, "Bea", 89.5)] for label in labels},
    )
    path = f"/api/v1/recordings/{made}/speakers"
    assert alice.get(path).json["suggestions"] == {
        "SPEAKER_01": [{"speaker_id": 7, "name": "Bea", "similarity": 89.5}]
    }
    assert bob.get(path).json["suggestions"] == {}


def test_a_known_voice_shows_in_the_list(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = add(alice, "Ann")
    monkeypatch.setattr(voice_profiles, "confidences", lambda _ids: {ann: 0.87})
    (listed,) = alice.get(SPEAKERS).json["speakers"]
    assert (listed["confidence_score"], listed["has_voice_profile"]) == (0.87, True)


def test_others_see_names_and_no_ids(alice: Person, bob: Person, make_person) -> None:
    made = meeting(alice, "SPEAKER_00")
    assign(alice, made, {"SPEAKER_00": "Ann"})
    share(made, bob, can_edit=False)
    (seen,) = bob.get(f"/api/v1/recordings/{made}/speakers").json["speakers"]
    assert (seen["identified_name"], seen["speaker_id"]) == ("Ann", None)
    assert make_person("carl").get(f"/api/v1/recordings/{made}/speakers").status_code == 404


# -- assigning


def test_the_documented_answer(alice: Person) -> None:
    made = meeting(alice, "SPEAKER_00", "SPEAKER_01", "SPEAKER_02")
    answer = assign(alice, made, {"SPEAKER_00": " Zoe ", "SPEAKER_01": {"name": "ann", "isMe": False}})
    assert answer.status_code == 200
    assert answer.json == {
        "success": True,
        "message": "Speakers assigned",
        "recording": {
            "id": made,
            "title": "A meeting",
            "participants": "ann, Zoe",
            "status": "COMPLETED",
        },
        "summary_queued": False,
        "embeddings_updated": 0,
        "snippets_created": 0,
    }
    assert spoken(alice, made) == {"SPEAKER_00": "Zoe", "SPEAKER_01": "ann", "SPEAKER_02": None}
    assert participants(alice, made) == "ann, Zoe"
    assert names(alice) == {"Zoe": 1, "ann": 1}
    assert [each["last_used"] is not None for each in alice.get(SPEAKERS).json["speakers"]] == [True, True]
    assert updates() == [{"recording_id": made, "title": "A meeting", "fields_changed": ["participants"]}]


def test_me_is_the_caller(alice: Person, bob: Person) -> None:
    made = meeting(alice, "SPEAKER_00", "SPEAKER_01")
    share(made, bob, can_edit=True)
    assign(alice, made, {"SPEAKER_00": {"name": "", "isMe": True}})
    with unit_of_work() as session:
        session.get_one(User, bob.id).name = "Builder, Bob"
    assign(bob, made, {"SPEAKER_01": {"name": "ignored", "isMe": True}})
    assert spoken(alice, made) == {"SPEAKER_00": "alice", "SPEAKER_01": "Builder Bob"}


def test_a_name_shown_stands_for_its_labels(alice: Person) -> None:
    made = meeting(alice, "SPEAKER_00", "SPEAKER_01", "SPEAKER_02")
    assign(alice, made, {"SPEAKER_00": "Ann", "SPEAKER_01": "Ann"})
    assign(alice, made, {"Ann": "Bea", "SPEAKER_02": "Carl"})
    assert spoken(alice, made) == {"SPEAKER_00": "Bea", "SPEAKER_01": "Bea", "SPEAKER_02": "Carl"}
    assign(alice, made, {"SPEAKER_01": "Dan", "Bea": "Eve"})
    assert spoken(alice, made) == {"SPEAKER_00": "Eve", "SPEAKER_01": "Dan", "SPEAKER_02": "Carl"}
    assert names(alice) == {"Eve": 1, "Dan": 1, "Carl": 1, "Ann": 0, "Bea": 0}


def test_two_change_places(alice: Person) -> None:
    made = meeting(alice, "SPEAKER_00", "SPEAKER_01")
    assign(alice, made, {"SPEAKER_00": "Ann", "SPEAKER_01": "Bea"})
    count_before = len(updates())
    assign(alice, made, {"Ann": "Bea", "Bea": "Ann"})
    assert spoken(alice, made) == {"SPEAKER_00": "Bea", "SPEAKER_01": "Ann"}
    assert participants(alice, made) == "Ann, Bea"
    assert len(updates()) == count_before  # the list is the same


@pytest.mark.parametrize("unknown", ["", "  ", {"name": ""}, "SPEAKER_00"], ids=str)
def test_an_empty_name_takes_the_assignment_away(alice: Person, unknown: Any) -> None:
    made = meeting(alice, "SPEAKER_00", "SPEAKER_01")
    assign(alice, made, {"SPEAKER_00": "Ann"})
    assert assign(alice, made, {"SPEAKER_00": unknown}).json["recording"]["participants"] is None
    assert spoken(alice, made) == {"SPEAKER_00": None, "SPEAKER_01": None}
    assert participants(alice, made) is None
    assert names(alice) == {"Ann": 0}
    assert "[SPEAKER_00]" in alice.get(f"/api/v1/recordings/{made}").json["transcription"]


def test_participants_become_those_who_speak(alice: Person) -> None:
    made = meeting(alice, "SPEAKER_00", "SPEAKER_01", participants="Somebody, Else")
    assign(alice, made, {"SPEAKER_00": "Ann"})
    assert participants(alice, made) == "Ann"


def test_counts_do_not_drift(app: Flask, alice: Person) -> None:
    first, second = meeting(alice, "SPEAKER_00", "SPEAKER_01"), meeting(alice, "SPEAKER_00")
    for _ in range(3):
        assign(alice, first, {"SPEAKER_00": "Ann", "SPEAKER_01": "Ann"})
        assign(alice, second, {"SPEAKER_00": "Ann"})
    assert names(alice) == {"Ann": 2}
    assign(alice, first, {"SPEAKER_01": ""})
    assert names(alice) == {"Ann": 2}
    assign(alice, first, {"SPEAKER_00": ""})
    assert names(alice) == {"Ann": 1}
    alice.delete(f"/api/v1/recordings/{second}")
    assert names(alice) == {"Ann": 0}


def test_hearing_again_starts_from_labels(
    app: Flask, alice: Person, upload, notifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcribe, "find_speech", lambda _samples: [Span(0.0, 1.25)])

    def work() -> None:
        while notifier.notifications:
            runner.run(notifier.notifications.pop(0)[1])

    made = upload(alice, wav(2.0)).json["id"]
    work()
    assign(alice, made, {"SPEAKER_00": "Ann"})
    assert names(alice) == {"Ann": 1}
    alice.post(f"/api/v1/recordings/{made}/transcribe")
    work()
    assert spoken(alice, made) == {"SPEAKER_00": None}
    assert names(alice) == {"Ann": 0}


def test_assigning_the_same_again_is_quiet(alice: Person) -> None:
    made = meeting(alice, "SPEAKER_00")
    assign(alice, made, {"SPEAKER_00": "Ann"})

    def state() -> Any:
        db.session.rollback()
        return db.session.execute(select(Recording.updated_at, Recording.participants)).one()

    before = state()
    assert assign(alice, made, {"SPEAKER_00": "Ann"}).status_code == 200
    assert state() == before
    assert len(updates()) == 1


def test_a_speaker_forgotten_and_named_again_is_linked(alice: Person) -> None:
    made = meeting(alice, "SPEAKER_00")
    assign(alice, made, {"SPEAKER_00": "Ann"})
    (ann,) = alice.get(SPEAKERS).json["speakers"]
    alice.delete(f"{SPEAKERS}/{ann['id']}")
    assign(alice, made, {"SPEAKER_00": "Ann"})
    assert names(alice) == {"Ann": 1}


def test_the_list_of_participants_holds_whole_names_only(alice: Person) -> None:
    labels = [f"SPEAKER_{n:02}" for n in range(40)]
    made = meeting(alice, *labels)
    answer = assign(alice, made, {label: f"{label[-2:]} {'x' * 97}" for label in labels})
    listed = answer.json["recording"]["participants"]
    assert 900 < len(listed) <= 1000
    assert {len(name) for name in listed.split(", ")} == {100}
    assert None not in spoken(alice, made).values()


# -- access


def test_an_editor_names_for_the_owner(alice: Person, bob: Person) -> None:
    made = meeting(alice, "SPEAKER_00")
    share(made, bob, can_edit=True)
    assert assign(bob, made, {"SPEAKER_00": "Ann"}).status_code == 200
    assert (names(alice), names(bob)) == ({"Ann": 1}, {})
    assert set(db.session.scalars(select(Event.user_id))) == {alice.id}


def test_who_may_not(alice: Person, bob: Person, make_person) -> None:
    made = meeting(alice, "SPEAKER_00")
    assert assign(bob, made, {"SPEAKER_00": "Ann"}).status_code == 404
    share(made, bob, can_edit=False)
    assert assign(bob, made, {"SPEAKER_00": "Ann"}).status_code == 403
    reader = make_person("reader", scopes=frozenset({Scope.READ}))
    assert assign(reader, meeting(reader, "SPEAKER_00"), {"SPEAKER_00": "A"}).json["code"] == "scope_missing"
    assert assign(alice, 2_147_483_647, {"SPEAKER_00": "Ann"}).status_code == 404
    assert assign(alice, 2**63, {"SPEAKER_00": "Ann"}).status_code == 404
    assert names(alice) == {}


# -- refusals


@pytest.mark.parametrize(
    ("speaker_map", "sentence"),
    [
        (None, "speaker_map is required"),
        ({}, "speaker_map is required"),
        ([], "speaker_map must be an object"),
        (["SPEAKER_00"], "speaker_map must be an object"),
        ("SPEAKER_00", "speaker_map must be an object"),
        (0, "speaker_map must be an object"),
        ({"SPEAKER_00": None}, 'Invalid value type for speaker "SPEAKER_00"'),
        ({"SPEAKER_00": 5}, 'Invalid value type for speaker "SPEAKER_00"'),
        ({"SPEAKER_00": ["Ann"]}, 'Invalid value type for speaker "SPEAKER_00"'),
        ({"SPEAKER_00": {}}, 'Invalid value type for speaker "SPEAKER_00"'),
        ({"SPEAKER_00": {"name": None}}, 'Invalid value type for speaker "SPEAKER_00"'),
        ({"SPEAKER_00": {"name": {"name": "Ann"}}}, 'Invalid value type for speaker "SPEAKER_00"'),
        ({"SPEAKER_00": {"isMe": False}}, 'Invalid value type for speaker "SPEAKER_00"'),
        ({"SPEAKER_00": {"name": "Ann", "isMe": "yes"}}, 'Invalid value type for speaker "SPEAKER_00"'),
        ({"SPEAKER_07": "Ann", "Nobody": "Bea"}, "Not in this recording: SPEAKER_07, Nobody"),
        ({"SPEAKER_00": "Smith, Ann"}, "Speaker name cannot hold a comma"),
        ({"SPEAKER_00": "x" * 121}, "Speaker name is too long"),
        ({"SPEAKER_00": "x" * 100_000}, "Speaker name is too long"),
        ({"SPEAKER_00": "SPEAKER_01"}, "Speaker name cannot be a label"),
        ({f"SPEAKER_{n}": "Ann" for n in range(201)}, "speaker_map has more than 200 entries"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_invalid_maps_are_reported_and_change_nothing(alice: Person, speaker_map: Any, sentence: str) -> None:
    made = meeting(alice, "SPEAKER_00")
    answer = assign(alice, made, speaker_map)
    assert answer.status_code == 400
    assert sentence in answer.json["error"]
    assert answer.json["errors"]
    assert spoken(alice, made) == {"SPEAKER_00": None}
    assert names(alice) == {}


def test_one_wrong_entry_spoils_all(alice: Person) -> None:
    made = meeting(alice, "SPEAKER_00", "SPEAKER_01")
    assert assign(alice, made, {"SPEAKER_00": "Ann", "SPEAKER_01": "a,b"}).status_code == 400
    assert spoken(alice, made) == {"SPEAKER_00": None, "SPEAKER_01": None}
    assert names(alice) == {}


@pytest.mark.on_sqlite
@pytest.mark.parametrize("key", ["\x00", "x" * 100_000, "<script>", "__proto__", "", "%"])
def test_unknown_keys_are_reported_in_short(alice: Person, key: str) -> None:
    answer = assign(alice, meeting(alice, "SPEAKER_00"), {key: "Ann"})
    assert answer.status_code == 400
    assert len(answer.json["error"]) < 200


@pytest.mark.on_sqlite
@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"null", b'"x"', b"{", b'{"speaker_map": {"a": "\\ud800"}}']
)
def test_bodies_without_a_map(alice: Person, body: bytes) -> None:
    made = meeting(alice, "SPEAKER_00")
    answer = alice.put(
        f"/api/v1/recordings/{made}/speakers/assign", data=body, content_type="application/json"
    )
    assert answer.status_code == 400


def test_strange_names_are_kept_on_one_line(alice: Person) -> None:
    made = meeting(alice, "SPEAKER_00", "SPEAKER_01")
    assign(alice, made, {"SPEAKER_00": "<script>\n\x00alert(1)", "SPEAKER_01": "-->\r\n\r\nNOTE"})
    assert spoken(alice, made) == {"SPEAKER_00": "<script> alert(1)", "SPEAKER_01": "--> NOTE"}
    cues = alice.get(f"/api/v1/recordings/{made}/transcript?format=vtt").json["content"]
    assert "<script>" not in cues
    assert "<v --&gt; NOTE>" in cues


def test_a_recording_without_a_transcript_has_no_speakers_to_name(alice: Person) -> None:
    answer = assign(alice, meeting(alice), {"SPEAKER_00": "Ann"})
    assert (answer.status_code, answer.json["code"]) == (400, "no_transcription")


# -- a new summary


def jobs() -> list[Job]:
    db.session.rollback()
    return list(db.session.scalars(select(Job).order_by(Job.id)))


def test_a_new_summary_is_queued_and_reads_the_names(app: Flask, alice: Person, notifier, writer) -> None:
    made = meeting(alice, "SPEAKER_00")
    answer = assign(alice, made, {"SPEAKER_00": "Ann"}, regenerate_summary=True)
    assert answer.json["summary_queued"] is True
    assert answer.json["recording"]["status"] == "SUMMARIZING"
    (job,) = jobs()
    assert job.kind == JobKind.SUMMARIZE
    runner.run(notifier.notifications.pop(0)[1])
    assert [line.speaker for line in writer.requests[0].lines] == ["Ann"]


def test_a_second_request_joins_the_first(alice: Person) -> None:
    made = meeting(alice, "SPEAKER_00")
    for name in ("Ann", "Bea"):
        answer = assign(alice, made, {"SPEAKER_00": name}, regenerate_summary=True)
        assert answer.json["summary_queued"] is True
    assert len(jobs()) == 1


def test_a_summary_that_is_being_written_may_not_know_the_names(
    app: Flask, alice: Person, notifier, writer
) -> None:
    made = meeting(alice, "SPEAKER_00")
    answers = []

    def rename_meanwhile(_request: object) -> None:
        answers.append(assign(alice, made, {"SPEAKER_00": "Bea"}, regenerate_summary=True).json)

    writer.before = rename_meanwhile
    assign(alice, made, {"SPEAKER_00": "Ann"}, regenerate_summary=True)
    runner.run(notifier.notifications.pop(0)[1])
    assert answers[0]["summary_queued"] is False
    assert "may not use them yet" in answers[0]["message"]
    assert spoken(alice, made) == {"SPEAKER_00": "Bea"}


def test_a_new_summary_needs_a_transcript_and_the_scope(alice: Person, make_person) -> None:
    answer = assign(alice, meeting(alice), {"SPEAKER_00": "Ann"}, regenerate_summary=True)
    assert answer.json["error"] == "No transcription available - transcribe first"
    scribe = make_person("scribe", scopes=frozenset({Scope.READ, Scope.WRITE}))
    made = meeting(scribe, "SPEAKER_00")
    assert assign(scribe, made, {"SPEAKER_00": "A"}, regenerate_summary=True).json["code"] == "scope_missing"
    assert spoken(scribe, made) == {"SPEAKER_00": None}
    assert assign(alice, made, {"a": "b"}, regenerate_summary="yes").status_code == 400
    assert jobs() == []
