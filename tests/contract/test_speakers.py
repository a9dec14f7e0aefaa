"""Speakers, and the speakers of a recording."""

from __future__ import annotations

from typing import Any

import pytest

from speakr.services.speech import recording_speakers, speakers
from speakr.services.speech.voice_profiles import Suggestion
from tests.contract.library import Library, check, check_error
from tests.contract.shapes import MOMENT, Each, Maybe, unlike

SPEAKER: dict[str, Any] = {
    "id": 1,
    "name": "John Doe",
    "use_count": 45,
    "last_used": MOMENT,
    "confidence_score": 0.87,
    "has_voice_profile": True,
    "has_outdated_voices": False,
}
UNHEARD = SPEAKER | {"last_used": None, "confidence_score": None}
SPEAKERS: dict[str, Any] = {
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


def test_speakers_who_never_spoke_are_listed(library: Library) -> None:
    body = check(library, "GET", "/speakers", None, 200, {"speakers": [UNHEARD]})
    assert sorted(speaker["name"] for speaker in body["speakers"]) == ["Ann", "Ben"]


def test_the_list_of_those_who_speak_with_known_voices(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.make("PUT", f"{R}/assign", {"speaker_map": {"SPEAKER_00": "Ann"}})
    known = {library.ids["speaker"]: 0.87}
    monkeypatch.setattr(speakers.voice_profiles, "confidences", lambda _: known)
    body = library.make("GET", "/speakers")
    assert unlike(SPEAKER, body["speakers"][0]) == []
    assert body["speakers"][0]["use_count"] == 1


def test_a_new_speaker(library: Library) -> None:
    made = {"id": 1, "name": "Dan", "use_count": 0, "created_at": MOMENT}
    body = check(library, "POST", "/speakers", {"name": "  Dan "}, 201, made)
    assert (body["name"], body["use_count"]) == ("Dan", 0)


def test_a_new_name_goes_everywhere(library: Library) -> None:
    library.make("PUT", f"{R}/assign", {"speaker_map": {"SPEAKER_00": "Ann"}})
    renamed = {"success": True, "speaker": {"id": 1, "name": "Ann", "use_count": 1}}
    body = check(library, "PUT", "/speakers/{speaker}", {"name": "Anna"}, 200, renamed)
    assert body["speaker"]["name"] == "Anna"
    assert library.make("GET", "/recordings/{recording}")["participants"] == "Anna"
    segments = library.make("GET", "/recordings/{recording}/transcript")["segments"]
    assert {segment["speaker"] for segment in segments} == {"Anna"}


def test_a_new_name_in_a_typed_list_of_participants(library: Library) -> None:
    library.make("PUT", "/speakers/{speaker}", {"name": "Anna"})
    assert library.make("GET", "/recordings/{recording}")["participants"] == "Anna, Ben"


def test_deleting_keeps_the_name_in_transcripts(library: Library) -> None:
    library.make("PUT", f"{R}/assign", {"speaker_map": {"SPEAKER_00": "Ann"}})
    check(
        library, "DELETE", "/speakers/{speaker}", None, 200, {"success": True, "message": "Speaker deleted"}
    )
    segments = library.make("GET", "/recordings/{recording}/transcript")["segments"]
    assert {segment["speaker"] for segment in segments} == {"Ann"}


def test_speakers_of_a_recording(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    none_yet = {"speakers": [SPEAKERS], "suggestions": {}}
    body = check(library, "GET", R, None, 200, none_yet)
    assert (body["speakers"][0]["identified_name"], body["speakers"][0]["speaker_id"]) == (None, None)
    monkeypatch.setattr(
        recording_speakers.voice_profiles,
        "suggest",
        lambda _, labels: {label: [Suggestion(2, "Jane Smith", 89.5)] for label in labels},
    )
    body = check(library, "GET", R, None, 200, {"speakers": [SPEAKERS], "suggestions": Each([SUGGESTION])})
    assert set(body["suggestions"]) == {"SPEAKER_00"}
    library.make("PUT", f"{R}/assign", {"speaker_map": {"SPEAKER_00": "Ann"}})
    known = SPEAKERS | {"identified_name": "Ann", "speaker_id": 1}
    body = check(library, "GET", R, None, 200, {"speakers": [known], "suggestions": {}})
    assert body["speakers"][0] == known | {
        "speaker_id": library.ids["speaker"],
        "segment_count": 3,
        "confirmed": True,
    }
    assert body["suggestions"] == {}


def test_speakers_of_a_recording_that_waits(library: Library) -> None:
    body = library.make("GET", "/recordings/{waiting}/speakers")
    assert body == {"speakers": [], "suggestions": {}}


@pytest.mark.parametrize(
    ("entry", "participants"),
    [("Dan", "Dan"), ({"name": "Dan", "isMe": False}, "Dan"), ({"name": "", "isMe": True}, "alice")],
)
def test_saying_who_is_who(library: Library, entry: Any, participants: str) -> None:
    body = check(library, "PUT", f"{R}/assign", {"speaker_map": {"SPEAKER_00": entry}}, 200, ASSIGNED)
    assert (body["recording"]["participants"], body["summary_queued"]) == (participants, False)
    assert participants in {speaker["name"] for speaker in library.make("GET", "/speakers")["speakers"]}


def test_saying_who_is_who_with_a_new_summary(library: Library) -> None:
    body = {"speaker_map": {"SPEAKER_00": "Ann"}, "regenerate_summary": True}
    assert check(library, "PUT", f"{R}/assign", body, 200, ASSIGNED)["summary_queued"] is True


def test_suggested_names_change_nothing(library: Library) -> None:
    library.engines.writer.names = {"SPEAKER_00": "Ann"}
    body = check(library, "POST", f"{R}/identify", None, 200, {"success": True, "speaker_map": Each("a")})
    assert body["speaker_map"] == {"SPEAKER_00": "Ann"}
    assert library.make("GET", R)["speakers"][0]["identified_name"] is None


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "sentence"),
    [
        ("POST", "/speakers", {}, 400, "Speaker name is required"),
        ("POST", "/speakers", {"name": "   "}, 400, "Speaker name is required"),
        ("POST", "/speakers", {"name": "Ann"}, 400, "Speaker with this name already exists"),
        ("PUT", "/speakers/{speaker}", {}, 400, "Speaker name is required"),
        ("PUT", "/speakers/{speaker}", {"name": "Ben"}, 400, "Speaker with this name already exists"),
        ("PUT", "/speakers/{nobody}", {"name": "x"}, 404, "Speaker not found"),
        # Documented as 403; speakers of other users stay private.
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
def test_errors(library: Library, method: str, path: str, body: Any, status: int, sentence: str) -> None:
    check_error(library, method, path, body, status, sentence)
