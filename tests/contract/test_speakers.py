"""Speakers, and who is who in a recording."""

from __future__ import annotations

from typing import Any

import pytest

from speakr.services import recording_speakers, speakers
from speakr.services.voice_profiles import Suggestion
from tests.contract.house import House, check, check_error
from tests.contract.shapes import MOMENT, Each, Maybe, unlike

SPEAKER: dict[str, Any] = {
    "id": 1,
    "name": "John Doe",
    "use_count": 45,
    "last_used": MOMENT,
    "confidence_score": 0.87,
    "has_voice_profile": True,
}
UNHEARD = SPEAKER | {"last_used": None, "confidence_score": None}
HEARD: dict[str, Any] = {
    "label": "SPEAKER_00",
    "identified_name": Maybe("John Doe"),
    "speaker_id": Maybe(1),
    "segment_count": 23,
}
SUGGESTION = {"speaker_id": 2, "name": "Jane Smith", "similarity": 89.5}
R = "/recordings/{recording}/speakers"
ASSIGNED: dict[str, Any] = {
    "success": True,
    "message": "a sentence",
    "recording": {"id": 1, "title": "a title", "participants": "a list", "status": "COMPLETED"},
    "summary_queued": False,
    "embeddings_updated": 0,
    "snippets_created": 0,
}


def test_the_list_of_those_who_were_never_heard(house: House) -> None:
    body = check(house, "GET", "/speakers", None, 200, {"speakers": [UNHEARD]})
    assert sorted(speaker["name"] for speaker in body["speakers"]) == ["Ann", "Ben"]


def test_the_list_of_those_who_speak_with_known_voices(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.make("PUT", f"{R}/assign", {"speaker_map": {"SPEAKER_00": "Ann"}})
    known = {house.ids["speaker"]: 0.87}
    monkeypatch.setattr(speakers.voice_profiles, "confidences", lambda _: known)
    body = house.make("GET", "/speakers")
    assert unlike(SPEAKER, body["speakers"][0]) == []
    assert body["speakers"][0]["use_count"] == 1


def test_a_new_speaker(house: House) -> None:
    made = {"id": 1, "name": "Dan", "use_count": 0, "created_at": MOMENT}
    body = check(house, "POST", "/speakers", {"name": "  Dan "}, 201, made)
    assert (body["name"], body["use_count"]) == ("Dan", 0)


def test_a_new_name_goes_everywhere(house: House) -> None:
    house.make("PUT", f"{R}/assign", {"speaker_map": {"SPEAKER_00": "Ann"}})
    renamed = {"success": True, "speaker": {"id": 1, "name": "Ann", "use_count": 1}}
    body = check(house, "PUT", "/speakers/{speaker}", {"name": "Anna"}, 200, renamed)
    assert body["speaker"]["name"] == "Anna"
    assert house.make("GET", "/recordings/{recording}")["participants"] == "Anna"
    segments = house.make("GET", "/recordings/{recording}/transcript")["segments"]
    assert {segment["speaker"] for segment in segments} == {"Anna"}


def test_a_new_name_in_a_typed_list_of_participants(house: House) -> None:
    house.make("PUT", "/speakers/{speaker}", {"name": "Anna"})
    assert house.make("GET", "/recordings/{recording}")["participants"] == "Anna, Ben"


def test_deleting_keeps_the_name_in_transcripts(house: House) -> None:
    house.make("PUT", f"{R}/assign", {"speaker_map": {"SPEAKER_00": "Ann"}})
    check(house, "DELETE", "/speakers/{speaker}", None, 200, {"success": True, "message": "Speaker deleted"})
    segments = house.make("GET", "/recordings/{recording}/transcript")["segments"]
    assert {segment["speaker"] for segment in segments} == {"Ann"}


def test_speakers_of_a_recording(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody_yet = {"speakers": [HEARD], "suggestions": {}}
    body = check(house, "GET", R, None, 200, nobody_yet)
    assert (body["speakers"][0]["identified_name"], body["speakers"][0]["speaker_id"]) == (None, None)
    monkeypatch.setattr(
        recording_speakers.voice_profiles,
        "suggest",
        lambda _, labels: {label: [Suggestion(2, "Jane Smith", 89.5)] for label in labels},
    )
    body = check(house, "GET", R, None, 200, {"speakers": [HEARD], "suggestions": Each([SUGGESTION])})
    assert set(body["suggestions"]) == {"SPEAKER_00"}
    house.make("PUT", f"{R}/assign", {"speaker_map": {"SPEAKER_00": "Ann"}})
    known = HEARD | {"identified_name": "Ann", "speaker_id": 1}
    body = check(house, "GET", R, None, 200, {"speakers": [known], "suggestions": {}})
    assert body["speakers"][0] == known | {
        "speaker_id": house.ids["speaker"],
        "segment_count": 3,
        "confirmed": True,
    }
    assert body["suggestions"] == {}


def test_speakers_of_a_recording_that_waits(house: House) -> None:
    body = house.make("GET", "/recordings/{waiting}/speakers")
    assert body == {"speakers": [], "suggestions": {}}


@pytest.mark.parametrize(
    ("entry", "participants"),
    [("Dan", "Dan"), ({"name": "Dan", "isMe": False}, "Dan"), ({"name": "", "isMe": True}, "alice")],
)
def test_saying_who_is_who(house: House, entry: Any, participants: str) -> None:
    body = check(house, "PUT", f"{R}/assign", {"speaker_map": {"SPEAKER_00": entry}}, 200, ASSIGNED)
    assert (body["recording"]["participants"], body["summary_queued"]) == (participants, False)
    assert participants in {speaker["name"] for speaker in house.make("GET", "/speakers")["speakers"]}


def test_saying_who_is_who_with_a_new_summary(house: House) -> None:
    body = {"speaker_map": {"SPEAKER_00": "Ann"}, "regenerate_summary": True}
    assert check(house, "PUT", f"{R}/assign", body, 200, ASSIGNED)["summary_queued"] is True


def test_suggested_names_change_nothing(house: House) -> None:
    house.engines.writer.names = {"SPEAKER_00": "Ann"}
    body = check(house, "POST", f"{R}/identify", None, 200, {"success": True, "speaker_map": Each("a")})
    assert body["speaker_map"] == {"SPEAKER_00": "Ann"}
    assert house.make("GET", R)["speakers"][0]["identified_name"] is None


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "sentence"),
    [
        ("POST", "/speakers", {}, 400, "Speaker name is required"),
        ("POST", "/speakers", {"name": "   "}, 400, "Speaker name is required"),
        ("POST", "/speakers", {"name": "Ann"}, 400, "Speaker with this name already exists"),
        ("PUT", "/speakers/{speaker}", {}, 400, "Speaker name is required"),
        ("PUT", "/speakers/{speaker}", {"name": "Ben"}, 400, "Speaker with this name already exists"),
        ("PUT", "/speakers/{nobody}", {"name": "x"}, 404, "Speaker not found"),
        # Documented as 403; whose speakers there are is nobody else's business.
        ("PUT", "/speakers/{bobs_speaker}", {"name": "x"}, 404, "Speaker not found"),
        ("DELETE", "/speakers/{nobody}", None, 404, "Speaker not found"),
        ("DELETE", "/speakers/{bobs_speaker}", None, 404, "Speaker not found"),
        ("GET", "/recordings/{nobody}/speakers", None, 404, "Recording not found"),
        ("GET", "/recordings/{bobs}/speakers", None, 404, "Recording not found"),
        ("PUT", f"{R}/assign", {}, 400, "speaker_map is required"),
        ("PUT", f"{R}/assign", {"speaker_map": {}}, 400, "speaker_map is required"),
        ("PUT", f"{R}/assign", {"speaker_map": ["Ann"]}, 400, "speaker_map must be an object"),
        (
            "PUT",
            f"{R}/assign",
            {"speaker_map": {"SPEAKER_00": 5}},
            400,
            'Invalid value type for speaker "SPEAKER_00"',
        ),
        (
            "PUT",
            "/recordings/{shared}/speakers/assign",
            {"speaker_map": {"SPEAKER_00": "x"}},
            403,
            "Permission denied",
        ),
        ("POST", "/recordings/{nobody}/speakers/identify", None, 404, "Recording not found"),
        ("POST", "/recordings/{waiting}/speakers/identify", None, 400, "No transcription available"),
    ],
)
def test_errors(house: House, method: str, path: str, body: Any, status: int, sentence: str) -> None:
    check_error(house, method, path, body, status, sentence)
