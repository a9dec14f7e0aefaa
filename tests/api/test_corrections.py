"""Corrections of transcripts: text, segments, speakers, boundaries."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from speakr.db import db
from speakr.models import Speaker
from tests.api.corrections import Transcript, name, positions, spoken
from tests.conftest import Person


@pytest.fixture
def transcript(alice: Person) -> Transcript:
    return Transcript(alice, spoken(alice))


def test_a_corrected_text_keeps_times_segments_and_speakers(transcript: Transcript) -> None:
    before = transcript.segments()
    answer = transcript.put(
        {"text": "Good morning, all!\nHello Miss Jane Austen here.\nWe start with budget."}
    )
    assert answer.status_code == 200
    assert answer.json == {
        "success": True,
        "revision": 1,
        "segments_changed": 3,
        "words_added": 4,
        "words_removed": 4,
    }
    after = transcript.segments()
    assert [each["sentence"] for each in after] == [
        "Good morning, all!",
        "Hello Miss Jane Austen here.",
        "We start with budget.",
    ]
    same = ("id", "start_time", "end_time", "speaker")
    assert [[each[key] for key in same] for each in after] == [[each[key] for key in same] for each in before]
    assert transcript.words(1) == [
        ("Hello", 10.0, 10.8, False),
        ("Miss", 11.0, 11.8, False),
        ("Jane", 12.0, 12.32, True),
        ("Austen", 12.32, 12.8, True),
        ("here.", 13.0, 13.8, False),
    ]
    assert transcript.words(2) == [
        ("We", 20.0, 20.8, False),
        ("start", 21.0, 21.8, False),
        ("with", 22.0, 22.8, False),
        ("budget.", 24.0, 24.8, False),
    ]


def test_our_own_text_export_is_read_back_unchanged(transcript: Transcript) -> None:
    name(transcript.id, "SPEAKER_01", "Jane")
    for query in ({"format": "text"}, {"format": "text", "paragraphs": "true"}):
        text = transcript.read(**query).json["content"]
        assert transcript.put({"text": text}).json["revision"] == 0
    corrected = text.replace("Austin", "Austen")
    assert transcript.put({"text": corrected}).json["words_added"] == 1
    assert transcript.said()[1] == "Hello Miss Austen here."


def test_segments_without_words_stay_without_words(alice: Person) -> None:
    recording_id = spoken(alice)
    transcript = Transcript(alice, recording_id)
    from speakr.db import unit_of_work
    from speakr.models import Segment

    with unit_of_work() as session:
        for segment in session.scalars(select(Segment).where(Segment.recording_id == recording_id)):
            segment.words = []
    transcript.put({"text": "Good evening all. Hello Miss Austin here. We start with the budget."})
    assert transcript.said()[0] == "Good evening all."
    assert transcript.words(0) == []


def test_segments_by_id_with_new_ones_and_without_others(transcript: Transcript) -> None:
    first, second, third = [each["id"] for each in transcript.segments()]
    given = [
        {"id": first, "text": "Good morning all."},
        {"text": "Hello", "start": 10.0, "end": 11.0, "speaker": "Jane Austen"},
        {"text": "Miss Austin here.", "start": 11.0, "end": 19.0},
        {"id": third, "text": "We end.", "start": 21.5, "end": 24},
    ]
    answer = transcript.put({"segments": given})
    assert answer.status_code == 200, answer.json
    shown = transcript.segments()
    assert [(each["sentence"], each["speaker"]) for each in shown] == [
        ("Good morning all.", "SPEAKER_00"),
        ("Hello", "Jane Austen"),
        ("Miss Austin here.", "SPEAKER_01"),
        ("We end.", "SPEAKER_00"),
    ]
    assert shown[0]["id"] == first
    assert second not in {each["id"] for each in shown}
    assert transcript.words(1) == [("Hello", 10.0, 10.8, False)]
    assert transcript.words(2)[1] == ("Austin", 12.0, 12.8, False)
    assert positions(transcript.id) == [0, 1, 2, 3]
    db.session.rollback()
    assert db.session.scalars(select(Speaker.name)).all() == ["Jane Austen"]
    detail = transcript.person.get(f"/api/v1/recordings/{transcript.id}").json
    assert detail["participants"] == "Jane Austen"


def test_segments_without_ids_and_times_find_both_by_their_words(transcript: Transcript) -> None:
    given = [
        {"text": "Good morning"},
        {"text": "all. Hello Miss Austen here."},
        {"text": "We start with the budget."},
    ]
    assert transcript.put({"segments": given}).status_code == 200
    assert [(each["start_time"], each["end_time"]) for each in transcript.segments()] == [
        (0.0, 1.8),
        (2.0, 13.8),
        (20.0, 24.8),
    ]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ([{"id": 10**9, "text": "x"}], "segments.0.id"),
        ([{"text": "x", "start": 5, "end": 4}], "segments"),
        ([{"text": "b", "start": 9, "end": 10}, {"text": "a", "start": 1, "end": 2}], "start"),
        ([{"text": "x", "start": 5, "end": 31}], "segments.0.end"),
        ([{"text": "x", "start": 0, "end": 1, "speaker": "a, b"}], "segments.0.speaker"),
        ([{"text": "x", "start": 0, "end": 1, "speaker": " "}], "segments.0.speaker"),
    ],
)
def test_wrong_segments_change_nothing(transcript: Transcript, given: list, field: str) -> None:
    answer = transcript.put({"segments": given})
    assert (answer.status_code, list(answer.json["errors"])) == (400, [field])
    assert transcript.history()["total"] == 0


def test_one_segment_is_changed(transcript: Transcript) -> None:
    answer = transcript.patch(1, {"text": "Hello Miss Austen.", "speaker": "Jane", "start": 10.5, "end": 13})
    assert answer.status_code == 200, answer.json
    shown = transcript.segments()[1]
    assert (shown["sentence"], shown["speaker"]) == ("Hello Miss Austen.", "Jane")
    assert (shown["start_time"], shown["end_time"]) == (10.5, 13.0)
    assert transcript.words(1) == [
        ("Hello", 10.5, 10.8, False),
        ("Miss", 11.0, 11.8, False),
        ("Austen.", 12.0, 13.0, True),
    ]
    assert transcript.patch(9, {"text": "x"}).status_code == 404
    assert transcript.patch(1, {}).status_code == 400
    assert transcript.patch(1, {"end": 5}).status_code == 400
    assert transcript.patch(1, {"start": 20.5}).status_code == 400
    assert transcript.patch(1, {"text": " "}).status_code == 200
    assert len(transcript.said()) == 2


def test_segments_and_words_are_given_to_other_speakers(transcript: Transcript) -> None:
    assert transcript.post("segments/speaker", {"first": 1, "last": 2, "speaker": "Jane"}).status_code == 200
    assert transcript.speakers() == ["SPEAKER_00", "Jane", "Jane"]
    body = {"first": 1, "first_word": 1, "last_word": 2, "speaker": "SPEAKER_00"}
    assert transcript.post("segments/speaker", body).status_code == 200
    assert transcript.said()[1:4] == ["Hello", "Miss Austin", "here."]
    assert transcript.speakers()[1:4] == ["Jane", "SPEAKER_00", "Jane"]
    shown = transcript.segments()
    assert [(each["start_time"], each["end_time"]) for each in shown[1:4]] == [
        (10.0, 11.0),
        (11.0, 13.0),
        (13.0, 19.0),
    ]
    assert positions(transcript.id) == [0, 1, 2, 3, 4]
    assert transcript.post("segments/speaker", {**body, "last_word": 9}).status_code == 400
    assert transcript.post("segments/speaker", {**body, "last_word": None}).status_code == 400
    assert transcript.post("segments/speaker", {"first": 3, "last": 2, "speaker": "x"}).status_code == 400
    assert transcript.post("segments/speaker", {"first": 1, "last": 99, "speaker": "x"}).status_code == 404
    assert transcript.post("segments/speaker", {"first": 1, "speaker": "speaker_07"}).status_code == 200
    assert transcript.speakers()[1] == "SPEAKER_07"


def test_segments_are_split_merged_and_deleted(transcript: Transcript) -> None:
    ids = [each["id"] for each in transcript.segments()]
    assert transcript.post("segments/2/split", {"word": 2}).status_code == 200
    assert transcript.said()[2:] == ["We start", "with the budget."]
    assert transcript.post("segments/0/split", {"time": 0.9}).status_code == 200
    assert transcript.said()[:2] == ["Good", "morning all."]
    assert positions(transcript.id) == [0, 1, 2, 3, 4]
    assert transcript.post("segments/merge", {"first": 0, "last": 1}).status_code == 200
    merged = transcript.segments()[0]
    assert (merged["id"], merged["sentence"], merged["end_time"]) == (ids[0], "Good morning all.", 9.0)
    assert transcript.words(0)[2] == ("all.", 2.0, 2.8, False)
    assert transcript.post("segments/delete", {"first": 1, "last": 2}).status_code == 200
    assert transcript.said() == ["Good morning all.", "with the budget."]
    assert transcript.person.delete(f"{transcript.path}/segments/1").status_code == 200
    assert transcript.said() == ["Good morning all."]
    assert positions(transcript.id) == [0]
    for action, body in (
        ("segments/0/split", {"word": 0}),
        ("segments/0/split", {"word": 3}),
        ("segments/0/split", {"time": 0.1}),
        ("segments/0/split", {"time": 1, "word": 1}),
        ("segments/0/split", {}),
        ("segments/merge", {"first": 0, "last": 0}),
    ):
        assert transcript.post(action, body).status_code == 400, (action, body)


def test_text_without_spaces_is_split_between_characters(alice: Person) -> None:
    transcript = Transcript(alice, spoken(alice, [("SPEAKER_00", "今天 天气 很好")]))
    transcript.put({"text": "今天天气很好"})
    assert transcript.post("segments/0/split", {"word": 1}).status_code == 200
    assert transcript.said() == ["今天", "天气很好"]


def test_a_recording_without_a_transcript_has_none_to_correct(alice: Person, upload) -> None:
    transcript = Transcript(alice, upload(alice).json["id"])
    answer = transcript.put({"text": "x"})
    assert (answer.status_code, answer.json["code"]) == (404, "no_transcription")


def test_a_silent_recording_can_be_given_a_text(alice: Person) -> None:
    transcript = Transcript(alice, spoken(alice, [], audio_duration=4.0))
    assert transcript.put({"text": "Now  there\nis one."}).status_code == 200
    assert transcript.said() == ["Now there is one."]


def test_while_a_recording_is_transcribed_its_text_is_not_corrected(alice: Person, upload, work) -> None:
    transcript = Transcript(alice, upload(alice).json["id"])
    work()
    alice.post(f"/api/v1/recordings/{transcript.id}/transcribe")
    for answer in (transcript.put({"text": "x"}), transcript.patch(0, {"text": "x"})):
        assert (answer.status_code, answer.json["code"]) == (409, "being_transcribed")


def test_segments_sent_back_as_they_were_read_change_nothing(transcript: Transcript) -> None:
    for label in ("SPEAKER_00", "SPEAKER_01"):
        name(transcript.id, label, "Jane")  # two labels of one person
    given = [
        {
            "id": each["id"],
            "start": round(each["start_time"], 2),
            "end": each["end_time"],
            "speaker": each["speaker"],
            "text": each["sentence"],
        }
        for each in transcript.segments()
    ]
    assert transcript.put({"segments": given}).json["revision"] == 0
