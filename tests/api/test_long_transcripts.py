"""Transcripts of thousands of segments: written in batches, read in parts, bounded in number."""

from __future__ import annotations

from typing import Any

import pytest

from speakr.domain.caps import CAPS, Noun
from speakr.services.corrections import editing, revisions
from tests.api.corrections import V1, spoken
from tests.conftest import Person

COUNT = 2_300
"""More than two batches, and more than two parts of a read."""


@pytest.fixture
def long_recording(alice: Person) -> int:
    return spoken(alice, [(f"SPEAKER_{at % 3:02}", f"Line {at} is said.") for at in range(COUNT)])


def segments_of(person: Person, recording: int, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = person.get(f"{V1}/{recording}/transcript{query}").json["segments"]
    return found


def test_segments_keep_ids_and_order_when_many_are_deleted_and_added(
    alice: Person, long_recording: int
) -> None:
    before = segments_of(alice, long_recording, "?words=true")
    given: list[dict[str, Any]] = []
    for at, each in enumerate(before):
        if at % 5 != 0:
            given.append({"id": each["id"], "text": each["sentence"]})
        if at % 7 == 0:
            moment = each["end_time"]
            given.append({"text": f"Added {at}.", "start": moment, "end": moment, "speaker": "SPEAKER_01"})
    answer = alice.put(f"{V1}/{long_recording}/transcript", json={"segments": given})
    assert answer.status_code == 200
    after = segments_of(alice, long_recording, "?words=true")
    assert [each["sentence"] for each in after] == [each["text"] for each in given]
    kept = {each["id"]: each for each in before}
    assert [each["id"] for each in after if each["id"] in kept] == [
        each["id"] for each in given if "id" in each
    ]
    assert all(each == kept[each["id"]] for each in after if each["id"] in kept)
    assert alice.post(f"{V1}/{long_recording}/transcript/undo").status_code == 200
    assert segments_of(alice, long_recording, "?words=true") == before
    assert alice.get(f"{V1}/{long_recording}/transcript/history/1/diff").status_code == 200


def test_a_whole_transcript_can_be_replaced_and_brought_back(alice: Person, long_recording: int) -> None:
    before = segments_of(alice, long_recording, "?words=true")
    given = [{"text": f"new {at}", "start": at * 5.0, "end": at * 5.0 + 1} for at in range(COUNT + 50)]
    assert alice.put(f"{V1}/{long_recording}/transcript", json={"segments": given}).status_code == 200
    after = segments_of(alice, long_recording)
    assert [each["sentence"] for each in after] == [each["text"] for each in given]
    assert segments_of(alice, long_recording, "?version=raw&words=true") == before
    text = alice.get(f"{V1}/{long_recording}/transcript?format=text").json["content"]
    assert text.count("new ") == COUNT + 50
    assert alice.post(f"{V1}/{long_recording}/transcript/history/0/restore").status_code == 200
    assert segments_of(alice, long_recording, "?words=true") == before


def test_a_transcript_has_no_more_speakers_than_the_cap(
    alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = spoken(alice)
    monkeypatch.setitem(CAPS, Noun.RECORDING_SPEAKERS, 3)
    times = [{"start": float(at), "end": float(at + 1), "text": "x"} for at in range(4)]
    given = [{**each, "speaker": f"SPEAKER_{at:02}"} for at, each in enumerate(times)]
    path = f"{V1}/{recording}/transcript"
    refused = alice.put(path, json={"segments": given})
    assert (refused.status_code, refused.json["code"]) == (409, "cap_reached")
    named = [{**each, "speaker": f"Person {at}"} for at, each in enumerate(times)]
    assert alice.put(path, json={"segments": named}).json["code"] == "cap_reached"
    assert alice.put(path, json={"segments": named[:3]}).status_code == 200


def test_a_transcript_has_no_more_segments_than_the_limit(
    alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = spoken(alice)
    monkeypatch.setattr(editing, "MAX_SEGMENTS", 3)
    refused = alice.post(f"{V1}/{recording}/transcript/segments/1/split", json={"word": 1})
    assert (refused.status_code, refused.json["errors"]) == (400, {"segments": ["has at most 3 segments"]})
    assert len(segments_of(alice, recording)) == 3


def test_the_oldest_revisions_go_when_the_history_is_too_long(
    alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = spoken(alice)
    path = f"{V1}/{recording}/transcript"
    for text in ("One.", "Two.", "Three."):
        assert alice.patch(f"{path}/segments/0", json={"text": text}).status_code == 200
    monkeypatch.setattr(revisions, "MAX_HISTORY_BYTES", 1)
    assert alice.patch(f"{path}/segments/0", json={"text": "Four."}).status_code == 200
    history = alice.get(f"{path}/history").json
    assert [each["revision"] for each in history["revisions"]] == [4]
    assert alice.get(f"{path}?version=2").status_code == 404
    assert segments_of(alice, recording, "?version=3")[0]["sentence"] == "Three."
