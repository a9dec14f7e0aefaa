"""Changes of recordings with long transcripts, inside transactions that other parts have opened."""

from __future__ import annotations

import pytest

from speakr.db import unit_of_work
from speakr.domain.caps import CAPS, Noun
from speakr.models import RecordingTag, Tag
from speakr.services import long_reads
from tests.api.corrections import V1, Transcript, spoken
from tests.api.sounding import detail, merge
from tests.conftest import Person

TALK = [("SPEAKER_00", f"Sentence number {number}.") for number in range(12)]


@pytest.fixture(autouse=True)
def ten_segments_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_reads, "LARGE_SEGMENTS", 10)


def test_a_recording_with_a_long_transcript_can_be_changed(alice: Person) -> None:
    recording = spoken(alice, TALK)
    assert alice.patch(f"{V1}/{recording}", json={"title": "Budget"}).status_code == 200
    shown = alice.get(f"{V1}/{recording}")
    changed = alice.patch(
        f"{V1}/{recording}", json={"title": "Costs"}, headers={"If-Match": shown.headers["ETag"]}
    )
    assert changed.status_code == 200, changed.json
    assert detail(alice, recording)["title"] == "Costs"


def test_a_long_transcript_is_corrected_with_an_idempotency_key(alice: Person) -> None:
    transcript = Transcript(alice, spoken(alice, TALK))
    assert transcript.patch(0, {"text": "Another beginning."}).status_code == 200
    path = f"{V1}/{transcript.id}/transcript/undo"
    answers = [alice.post(path, headers={"Idempotency-Key": "k1"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200], answers[0].json
    assert TALK[0][1] in detail(alice, transcript.id)["transcription"]


def test_many_long_transcripts_are_replaced_with_an_idempotency_key(alice: Person) -> None:
    ids = [spoken(alice, TALK) for _ in range(2)]
    body = {"recording_ids": ids, "find": "Sentence", "replace": "Line", "preview": False}
    answer = alice.post(f"{V1}/batch/replace", json=body, headers={"Idempotency-Key": "k2"})
    assert answer.status_code == 200, answer.json
    for recording in ids:
        assert "Line number 0." in detail(alice, recording)["transcription"]


def test_a_merge_that_waits_has_no_transcript_yet(alice: Person) -> None:
    accepted = merge(alice, spoken(alice, TALK), spoken(alice, TALK))
    made = accepted.json["id"]
    assert alice.get(f"{V1}/{made}/transcript").status_code == 404
    assert alice.put(f"{V1}/{made}/transcript", json={"text": "Mine."}).status_code == 404
    job = alice.get(f"/api/v1/jobs?recording_id={made}").json["jobs"][0]["id"]
    assert alice.post(f"/api/v1/jobs/{job}/cancel").status_code == 200
    assert detail(alice, made)["status"] == "FAILED"


def test_a_batch_swaps_a_tag_of_a_recording_with_all_the_tags_it_may_have(alice: Person) -> None:
    recording, most = spoken(alice, TALK), CAPS[Noun.RECORDING_TAGS]
    with unit_of_work() as session:
        tags = [Tag(user_id=alice.id, name=f"t{number}") for number in range(most + 1)]
        session.add_all(tags)
        session.flush()
        session.add_all(
            RecordingTag(recording_id=recording, tag_id=tag.id, position=at)
            for at, tag in enumerate(tags[:-1])
        )
        first, last = tags[0].id, tags[-1].id

    def change(**updates: object) -> object:
        body = {"recording_ids": [recording], "updates": updates}
        return alice.patch(f"{V1}/batch", json=body).json["results"][0]["success"]

    assert change(add_tag_ids=[last]) is False
    assert change(add_tag_ids=[last], remove_tag_ids=[first]) is True


@pytest.mark.parametrize("moment", ["9999-12-31 235959", "9999-12-31", "9999-12-31T23:59:59Z"])
def test_the_last_moment_there_is_filters_without_a_failure(alice: Person, moment: str) -> None:
    answer = alice.get(V1, query_string={"date_to": moment})
    assert answer.status_code in {200, 400}
