"""What may not be merged or cut, and what happens when others act at the same time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from speakr.db import db, release, unit_of_work
from speakr.domain.recordings import RecordingStatus
from speakr.models import Job, Recording, RecordingShare, RecordingSpeaker, Speaker, User
from speakr.services.recordings import deriving
from tests.api.corrections import V1, Transcript, spoken
from tests.api.meetings import at_once
from tests.api.sounding import cut, detail, merge, merged, sounding, stored
from tests.conftest import Person

TALK = (("SPEAKER_00", "Good morning all."), ("SPEAKER_01", "We start with the budget."))

Work = Callable[[], Any]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
class TestRefusals:
    """Requests that make nothing."""

    @pytest.mark.parametrize(
        "ids",
        [[], [1], [1, 1], list(range(1, 22)), [1] * 10_000, [0, 1], [1, -2], [1, 2**40], ["1", "2"],
         [1, None], [1, 2.5], [[1], [2]], "1,2", None, {"1": 2}],
        ids=repr,
    )  # fmt: skip
    def test_lists_of_ids_that_cannot_be(self, alice: Person, ids: Any) -> None:
        one, two = spoken(alice, TALK), spoken(alice, TALK)
        assert (one, two) != ids
        answer = alice.post(f"{V1}/merge", json={"recording_ids": ids})
        assert (answer.status_code, answer.json["code"]) == (400, "invalid"), answer.json
        assert "recording_ids" in answer.json["errors"] or any(
            key.startswith("recording_ids") for key in answer.json["errors"]
        )

    def test_the_same_recording_twice(self, alice: Person) -> None:
        one, two = spoken(alice, TALK), spoken(alice, TALK)
        answer = merge(alice, one, two, one)
        assert (answer.status_code, answer.json["code"]) == (400, "invalid")
        assert answer.json["errors"] == {"recording_ids": ["must name each recording once"]}

    @pytest.mark.parametrize(
        "body",
        [{"gap_seconds": -1}, {"gap_seconds": 601}, {"gap_seconds": "x"}, {"keep_originals": "no"},
         {"title": "x" * 201}, {"title": 5}],
        ids=repr,
    )  # fmt: skip
    def test_options_that_cannot_be(self, alice: Person, body: Any) -> None:
        answer = merge(alice, spoken(alice, TALK), spoken(alice, TALK), **body)
        assert (answer.status_code, list(answer.json["errors"])) == (400, list(body))

    @pytest.mark.parametrize("at", [0, 0.05, -1, 19.95, 20, 21, 1e300, "x", None, True, [5]], ids=repr)
    def test_places_where_nothing_can_be_cut(self, alice: Person, at: Any) -> None:
        answer = cut(alice, spoken(alice, TALK), at)
        assert (answer.status_code, answer.json["code"]) == (400, "invalid"), answer.json
        assert list(answer.json["errors"]) == ["at"]

    @pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
    @pytest.mark.parametrize("path", ["cut", "merge"])
    def test_numbers_that_are_none(self, alice: Person, number: str, path: str) -> None:
        one, two = spoken(alice, TALK), spoken(alice, TALK)
        body = f'{{"at": {number}}}'
        if path == "merge":
            body = f'{{"recording_ids": [{one}, {two}], "gap_seconds": {number}}}'
        url = f"{V1}/merge" if path == "merge" else f"{V1}/{one}/cut"
        answer = alice.post(url, data=body, content_type="application/json")
        assert answer.status_code == 400, answer.json

    @pytest.mark.parametrize(
        "titles", [[], ["a"], ["a", "b", "c"], "ab", ["a", 5], ["a", "x" * 201]], ids=repr
    )
    def test_titles_that_cannot_be(self, alice: Person, titles: Any) -> None:
        assert cut(alice, spoken(alice, TALK), 10.0, titles=titles).status_code == 400

    def test_recordings_that_are_not_complete_or_have_no_transcript(self, alice: Person) -> None:
        one = spoken(alice, TALK)
        for values, status, code in (
            ({"status": RecordingStatus.PROCESSING}, 409, "recording_not_complete"),
            ({"status": RecordingStatus.FAILED}, 409, "recording_not_complete"),
            ({"has_transcription": False}, 400, "no_transcription"),
            ({"storage_key": "audio/00/" + "0" * 32}, 400, "audio_deleted"),
        ):
            other = spoken(alice, TALK, **values)
            answer = merge(alice, one, other)
            assert (answer.status_code, answer.json["code"]) == (status, code), values

    def test_more_than_the_server_accepts(self, alice: Person) -> None:
        one = spoken(alice, TALK, audio_duration=10 * 3600.0)
        two = spoken(alice, TALK, audio_duration=15 * 3600.0)
        answer = merge(alice, one, two)
        assert (answer.status_code, answer.json["code"]) == (400, "too_long")

    def test_more_segments_than_a_transcript_may_have(
        self, alice: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        one, two = spoken(alice, TALK), spoken(alice, TALK)
        monkeypatch.setattr(deriving, "MAX_SEGMENTS", 2 * len(TALK) - 1)
        answer = merge(alice, one, two)
        assert (answer.status_code, list(answer.json["errors"])) == (400, ["recording_ids"])
        monkeypatch.setattr(deriving, "MAX_SEGMENTS", 2 * len(TALK))
        assert merge(alice, one, two).status_code == 202

    def test_more_than_the_storage_quota(self, alice: Person) -> None:
        one = spoken(alice, TALK, storage_key="audio/00/" + "0" * 32, file_size=600_000)
        two = spoken(alice, TALK, storage_key="audio/11/" + "1" * 32, file_size=400_000)
        with unit_of_work() as session:
            session.get_one(User, alice.id).storage_quota_bytes = 1_500_000
        answer = merge(alice, one, two)
        assert (answer.status_code, answer.json["code"]) == (403, "storage_quota_exceeded")
        assert cut(alice, two, 10.0).status_code == 202
        assert merge(alice, one, two, keep_originals=False).status_code == 202, "nothing is added"

    def test_nothing_is_made_by_a_refusal(self, alice: Person) -> None:
        one = spoken(alice, TALK)
        assert merge(alice, one, 4_711).json["error"] == "Recording 4711 not found"
        assert cut(alice, one, 0).status_code == 400
        release()
        assert db.session.scalar(select(func.count(Recording.id))) == 1
        assert db.session.scalar(select(func.count(Job.id))) == 0


def test_recordings_of_others(alice: Person, bob: Person, work: Work) -> None:
    hers, his = spoken(alice, TALK, notes="Private.", title="Hers"), spoken(bob, TALK)
    assert merge(bob, his, hers).status_code == 404
    assert cut(bob, hers, 10.0).status_code == 404
    with unit_of_work() as session:
        ann = Speaker(user_id=alice.id, name="Ann")
        session.add(ann)
        session.flush()
        session.add(RecordingSpeaker(recording_id=hers, label="SPEAKER_00", name="Ann", speaker_id=ann.id))
        session.add(RecordingShare(recording_id=hers, user_id=bob.id, can_edit=False))
    assert merge(bob, his, hers).status_code == 403
    with unit_of_work() as session:
        session.query(RecordingShare).update({"can_edit": True})
    assert merge(bob, his, hers, keep_originals=False).json["code"] == "not_the_owner"
    new = merged(bob, work, hers, his)
    found = detail(bob, new)
    assert (found["title"], found["notes"], found["participants"]) == ("Hers", None, "Ann")
    assert alice.get(f"{V1}/{new}").status_code == 404
    release()
    (row,) = db.session.query(RecordingSpeaker).filter_by(recording_id=new)
    assert (row.name, row.speaker_id) == ("Ann", None)


def test_a_share_that_is_taken_back_while_the_job_waits(alice: Person, bob: Person, work: Work) -> None:
    hers, his = spoken(alice, TALK), spoken(bob, TALK)
    with unit_of_work() as session:
        session.add(RecordingShare(recording_id=hers, user_id=bob.id, can_edit=True))
    answer = merge(bob, his, hers)
    with unit_of_work() as session:
        session.query(RecordingShare).delete()
    work()
    found = bob.get(f"{V1}/{answer.json['id']}/status").json
    assert (found["status"], found["error_code"]) == ("FAILED", "source_deleted")


def test_an_original_that_is_deleted_while_the_job_waits(alice: Person, work: Work, backends: Any) -> None:
    one, _ = sounding(alice, TALK)
    two, _ = sounding(alice, TALK)
    answer = merge(alice, one, two)
    assert alice.delete(f"{V1}/{two}").status_code == 200
    work()
    new = answer.json["id"]
    found = alice.get(f"{V1}/{new}/status").json
    assert (found["status"], found["error_code"]) == ("FAILED", "source_deleted")
    assert found["error_message"] == f"Recording {two} has been deleted."
    assert alice.get(f"{V1}/{new}/audio").status_code == 404
    assert alice.get(f"{V1}/{new}/transcript").status_code == 404
    assert len(list(backends.storage.keys("audio"))) == 1


def test_audio_that_retention_deletes_while_the_job_waits(alice: Person, work: Work) -> None:
    one, _ = sounding(alice, TALK)
    answer = cut(alice, one, 10.0)
    with unit_of_work() as session:
        session.get_one(Recording, one).storage_key = None
    work()
    for each in answer.json["recordings"]:
        found = alice.get(f"{V1}/{each['id']}/status").json
        assert (found["status"], found["error_code"]) == ("FAILED", "audio_deleted")


def test_damaged_audio_fails_with_its_reason(alice: Person, work: Work) -> None:
    one, _ = sounding(alice, TALK)
    two = spoken(alice, TALK, **stored(b"RIFF no sound at all"))
    answer = merge(alice, one, two, keep_originals=False)
    work()
    found = alice.get(f"{V1}/{answer.json['id']}/status").json
    assert (found["status"], found["error_code"]) == ("FAILED", "not_media")
    assert [detail(alice, each)["status"] for each in (one, two)] == ["COMPLETED", "COMPLETED"]


def test_two_merges_at_once_of_which_both_delete_the_originals(
    app: Flask, alice: Person, work: Work, backends: Any
) -> None:
    one, _ = sounding(alice, TALK)
    two, _ = sounding(alice, TALK)
    body = {"recording_ids": [one, two], "keep_originals": False}
    first, second = at_once(app, alice, ("POST", f"{V1}/merge", body), ("POST", f"{V1}/merge", body))
    assert (first.status_code, second.status_code) == (202, 202)
    work()
    found = {each.json["id"]: alice.get(f"{V1}/{each.json['id']}/status").json for each in (first, second)}
    assert sorted(each["status"] for each in found.values()) == ["COMPLETED", "FAILED"]
    assert len(list(backends.storage.keys("audio"))) == 1


def test_a_merge_with_a_key_happens_once(alice: Person, work: Work) -> None:
    one, two = spoken(alice, TALK), spoken(alice, TALK)
    body, headers = {"recording_ids": [one, two]}, {"Idempotency-Key": "merge-1"}
    first = alice.post(f"{V1}/merge", json=body, headers=headers)
    again = alice.post(f"{V1}/merge", json=body, headers=headers)
    assert (again.status_code, again.json) == (202, first.json)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(alice.get(V1).json["recordings"]) == 3


def test_a_cancelled_merge_leaves_no_blob_and_can_be_retried(
    alice: Person, work: Work, backends: Any
) -> None:
    one, _ = sounding(alice, TALK)
    two, _ = sounding(alice, TALK)
    new = merge(alice, one, two).json["id"]
    (job,) = alice.get(f"/api/v1/jobs?recording_id={new}").json["jobs"]
    assert (job["kind"], job["state"]) == ("merge", "queued")
    assert alice.post(f"/api/v1/jobs/{job['id']}/cancel").status_code == 200
    work()
    assert alice.get(f"{V1}/{new}/status").json["error_code"] == "cancelled"
    assert len(list(backends.storage.keys("audio"))) == 2
    assert alice.post(f"/api/v1/jobs/{job['id']}/retry").status_code == 202
    work()
    assert detail(alice, new)["status"] == "COMPLETED"
    assert Transcript(alice, new).said() == [text for _, text in TALK] * 2


def test_a_new_recording_that_does_not_fit_fails_in_the_worker(
    alice: Person, work: Work, backends: Any
) -> None:
    one, _ = sounding(alice, TALK, mime_type="audio/mpeg")
    two, _ = sounding(alice, TALK, mime_type="audio/mpeg")
    new = merge(alice, one, two).json["id"]
    with unit_of_work() as session:
        session.get_one(User, alice.id).storage_quota_bytes = 1_300_000
    work()
    assert alice.get(f"{V1}/{new}/status").json["error_code"] == "storage_quota_exceeded"
    assert len(list(backends.storage.keys("audio"))) == 2
