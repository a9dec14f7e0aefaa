"""The history of corrections: read, compared, undone, restored."""

from __future__ import annotations

import zlib

import pytest
from sqlalchemy import func, select

from speakr.db import db, unit_of_work
from speakr.models import Segment, TranscriptRevision, User
from speakr.services.corrections import revisions
from tests.api.corrections import Transcript, positions, revision, spoken
from tests.api.library import share
from tests.conftest import Person


@pytest.fixture
def transcript(alice: Person) -> Transcript:
    return Transcript(alice, spoken(alice))


def test_who_changed_what_and_when(transcript: Transcript, bob: Person) -> None:
    from speakr.models import RecordingShare

    transcript.patch(1, {"text": "Hello Miss Jane Austen here."})
    with unit_of_work() as session:
        session.add(RecordingShare(recording_id=transcript.id, user_id=bob.id, can_edit=True))
    Transcript(bob, transcript.id).post("segments/speaker", {"first": 0, "speaker": "Bob"})
    found = transcript.history()
    assert (found["revision"], found["undo_to"], found["redo_to"], found["total"]) == (2, 1, None, 2)
    newest, oldest = found["revisions"]
    assert (newest["revision"], newest["kind"], newest["username"]) == (2, "speaker", "bob")
    assert (oldest["kind"], oldest["username"], oldest["words_added"], oldest["words_removed"]) == (
        "segment",
        "alice",
        2,
        1,
    )
    assert newest["created_at"] >= oldest["created_at"]
    page = transcript.person.get(f"{transcript.path}/history?per_page=1&page=2").json
    assert [each["revision"] for each in page["revisions"]] == [1]


def test_a_change_is_shown_word_by_word(transcript: Transcript) -> None:
    transcript.patch(1, {"text": "Hello Miss Jane Austen here."})
    transcript.put({"text": "Other text."})
    shown = transcript.person.get(f"{transcript.path}/history/1/diff").json
    assert shown == {
        "revision": 1,
        "changes": [
            {
                "segment_index": 1,
                "before": [
                    {
                        "speaker": "SPEAKER_01",
                        "sentence": "Hello Miss Austin here.",
                        "start_time": 10.0,
                        "end_time": 19.0,
                    }
                ],
                "after": [
                    {
                        "speaker": "SPEAKER_01",
                        "sentence": "Hello Miss Jane Austen here.",
                        "start_time": 10.0,
                        "end_time": 19.0,
                    }
                ],
                "words": [
                    {"change": "equal", "text": "Hello Miss"},
                    {"change": "delete", "text": "Austin"},
                    {"change": "insert", "text": "Jane Austen"},
                    {"change": "equal", "text": "here."},
                ],
            }
        ],
    }
    for number in (0, 3, 2**31 - 1):
        assert transcript.person.get(f"{transcript.path}/history/{number}/diff").status_code == 404


def test_changes_are_undone_and_redone_step_by_step(transcript: Transcript) -> None:
    states = [transcript.segments(words="true")]
    for action in (
        lambda: transcript.patch(0, {"text": "Good evening all."}),
        lambda: transcript.post("segments/2/split", {"word": 2}),
        lambda: transcript.post("segments/delete", {"first": 1, "last": 1}),
        lambda: transcript.post("segments/speaker", {"first": 0, "last": 2, "speaker": "Jane"}),
    ):
        assert action().status_code == 200
        states.append(transcript.segments(words="true"))
    for state in reversed(states[:-1]):
        assert transcript.post("undo").status_code == 200
        assert transcript.segments(words="true") == state
    answer = transcript.post("undo")
    assert (answer.status_code, answer.json["code"]) == (409, "nothing_to_undo")
    for state in states[1:]:
        assert transcript.post("redo").status_code == 200
        assert transcript.segments(words="true") == state
    answer = transcript.post("redo")
    assert (answer.status_code, answer.json["code"]) == (409, "nothing_to_redo")
    transcript.post("undo")
    transcript.patch(0, {"text": "Something else."})
    assert transcript.post("redo").json["code"] == "nothing_to_redo"
    assert transcript.post("undo").status_code == 200
    assert transcript.segments(words="true") == states[-2]
    assert positions(transcript.id) == list(range(len(states[-2])))


def test_any_revision_can_be_read_and_restored(transcript: Transcript) -> None:
    raw = transcript.segments(words="true")
    transcript.put({"text": "Good morning."})
    second = transcript.segments(words="true")
    transcript.post("segments/delete", {"first": 0, "last": 0})
    assert transcript.said() == []
    assert transcript.segments(version="0", words="true") == raw
    assert transcript.segments(version="raw", words="true") == raw
    assert transcript.segments(version="1", words="true") == second
    assert (
        transcript.read(version="raw", format="text").json["content"].startswith("[SPEAKER_00]: Good morning")
    )
    assert transcript.read(version="3").status_code == 404
    assert transcript.read(version="-1").status_code == 400
    assert transcript.read(version="٣").status_code == 400
    assert transcript.post("history/0/restore").json["revision"] == 3
    assert transcript.segments(words="true") == raw
    assert transcript.history()["revisions"][0]["details"] == {"restored_revision": 0}
    assert transcript.post("history/9/restore").status_code == 404
    assert transcript.post("undo").status_code == 200
    assert transcript.said() == []


def test_transcribing_again_replaces_the_text_and_keeps_the_history(alice: Person, upload, work) -> None:
    transcript = Transcript(alice, upload(alice).json["id"])
    work()
    recognized = transcript.said()
    assert revision(transcript.id) == 0
    transcript.put({"segments": [{"text": "Corrected by hand.", "start": 0, "end": 0.5}]})
    assert transcript.said(version="raw") == recognized
    alice.post(f"/api/v1/recordings/{transcript.id}/transcribe")
    work()
    assert transcript.said() == recognized == transcript.said(version="raw")
    assert transcript.said(version="1") == ["Corrected by hand."]
    newest = transcript.history()["revisions"][0]
    assert (newest["kind"], newest["username"]) == ("transcribed", None)
    assert transcript.post("undo").json["code"] == "nothing_to_undo"
    assert transcript.post("history/1/restore").status_code == 200
    assert transcript.said() == ["Corrected by hand."]
    assert transcript.said(version="raw") == recognized


def test_the_history_outlives_an_account_and_ends_with_the_recording(
    transcript: Transcript, bob: Person
) -> None:
    from speakr.models import RecordingShare

    with unit_of_work() as session:
        session.add(RecordingShare(recording_id=transcript.id, user_id=bob.id, can_edit=True))
    Transcript(bob, transcript.id).patch(0, {"text": "Hello."})
    with unit_of_work() as session:
        session.delete(session.get_one(User, bob.id))
    assert transcript.history()["revisions"][0]["username"] is None
    transcript.person.delete(f"/api/v1/recordings/{transcript.id}")
    db.session.rollback()
    assert db.session.scalar(select(func.count()).select_from(TranscriptRevision)) == 0


def test_old_revisions_are_removed_and_the_recognised_text_stays(
    transcript: Transcript, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revisions, "MAX_REVISIONS", 3)
    raw = transcript.said()
    for number in range(6):
        transcript.patch(0, {"text": f"Version {number}."})
    assert transcript.history()["total"] == 3
    assert transcript.said(version="3")[0] == "Version 2."
    assert transcript.read(version="2").status_code == 404
    assert transcript.said(version="raw") == raw
    for _ in range(2):
        assert transcript.post("undo").status_code == 200
    assert transcript.said()[0] == "Version 3."
    assert transcript.post("undo").status_code == 409


def test_a_long_history_is_small(alice: Person) -> None:
    said = [
        ("SPEAKER_00", " ".join(f"word{n * 7 % 1999}" for n in range(at * 20, at * 20 + 20)))
        for at in range(500)
    ]
    transcript = Transcript(alice, spoken(alice, said))
    for number in range(40):
        text = said[number * 11][1]
        assert transcript.patch(number * 11, {"text": f"{text} more"}).status_code == 200
    db.session.rollback()
    stored = db.session.scalar(select(func.sum(func.length(TranscriptRevision.replaced))))
    whole = len(
        zlib.compress(b"".join(str(words).encode() for words in db.session.scalars(select(Segment.words))))
    )
    assert stored / 40 < whole / 50


def test_viewers_read_the_history_and_change_nothing(transcript: Transcript, bob: Person) -> None:
    transcript.patch(0, {"text": "Hello."})
    share(transcript.id, bob)
    theirs = Transcript(bob, transcript.id)
    assert theirs.history()["total"] == 1
    assert theirs.put({"text": "x"}).status_code == 403
    assert theirs.post("undo").status_code == 403
