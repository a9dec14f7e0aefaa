"""Invalid corrections: a clear refusal or a valid text, and never a 500."""

from __future__ import annotations

import time
from typing import Any

import pytest

from speakr.domain.transcript_edits import MAX_WORDS
from tests.api.corrections import Transcript, spoken
from tests.conftest import Person


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
def transcript(alice: Person) -> Transcript:
    return Transcript(alice, spoken(alice))


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        [],
        "text",
        {"text": None},
        {"text": 5},
        {"text": "a", "segments": []},
        {"segments": None},
        {"segments": {}},
        {"segments": [5]},
        {"segments": [{}]},
        {"segments": [{"text": "a", "start": -1, "end": 1}]},
        {"segments": [{"text": "a", "start": "x", "end": 1}]},
        {"segments": [{"text": "a", "start": 1e300, "end": 1e301}]},
        {"segments": [{"text": "a", "id": 2**60}]},
        {"segments": [{"text": "a", "id": -1}]},
        {"segments": [{"text": "a", "start": 0, "end": 1, "speaker": "x" * 201}]},
        {"segments": [{"text": "a", "start": 0, "end": 1, "speaker": "SPEAKER_" + "1" * 150}]},
        {"segments": [{"text": "a"}] * 50_001},
        {"text": "a" * 1_000_001},
    ],
    ids=lambda body: repr(body)[:40],
)
def test_wrong_bodies_are_refused(transcript: Transcript, body: Any) -> None:
    answer = transcript.put(body)
    assert answer.status_code == 400, answer.json
    assert {"error", "code", "request_id"} <= set(answer.json)
    assert transcript.history()["total"] == 0


@pytest.mark.parametrize(
    "body",
    [b"{", b'{"text": NaN}', b'{"segments": [{"text": "a", "start": NaN, "end": Infinity}]}', b"\xff\xfe"],
)
def test_what_is_not_json_is_refused(transcript: Transcript, body: bytes) -> None:
    answer = transcript.person.put(transcript.path, data=body, content_type="application/json")
    assert answer.status_code == 400


def test_deep_bodies_are_refused(transcript: Transcript) -> None:
    body = b'{"segments": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    answer = transcript.person.put(transcript.path, data=body, content_type="application/json")
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("action", "body"),
    [
        ("segments/0/split", {"word": -1}),
        ("segments/0/split", {"word": 2**40}),
        ("segments/0/split", {"time": -0.5}),
        ("segments/0/split", {"word": "1"}),
        ("segments/merge", {"first": 0}),
        ("segments/merge", {"first": True, "last": 1}),
        ("segments/merge", {"first": 1, "last": 0}),
        ("segments/delete", {"first": 0.5, "last": 1}),
        ("segments/speaker", {"first": 0, "speaker": ""}),
        ("segments/speaker", {"first": 0, "speaker": "\u200b"}),
        ("segments/speaker", {"first": 0}),
    ],
)
def test_wrong_places_are_refused(transcript: Transcript, action: str, body: Any) -> None:
    assert transcript.post(action, body).status_code == 400


def test_numbers_that_are_no_place_lead_nowhere(transcript: Transcript) -> None:
    for path in (
        "segments/-1",
        f"segments/{2**40}",
        "segments/x",
        f"history/{2**40}/diff",
        "history/-1/diff",
    ):
        assert transcript.person.get(f"{transcript.path}/{path}").status_code == 404, path
    assert transcript.read(version="9" * 10).status_code == 400


def test_characters_that_cannot_be_stored_are_dropped(transcript: Transcript) -> None:
    body = b'{"text": "Good\\u0000 morning\\u0000 all."}'
    answer = transcript.person.patch(
        f"{transcript.path}/segments/0", data=body, content_type="application/json"
    )
    assert answer.status_code == 200
    assert transcript.said()[0].startswith("Good")
    assert "\u0000" not in transcript.said()[0]


def test_a_megabyte_of_one_word_is_aligned_within_seconds(transcript: Transcript) -> None:
    began = time.process_time()
    assert transcript.put({"text": "good " * 199_000}).status_code == 200
    assert time.process_time() - began < 40
    assert sum(len(said.split()) for said in transcript.said()) == 199_000


@pytest.mark.parametrize("place", ["text", "segments", "segment"])
def test_more_words_than_can_be_aligned_in_time_are_refused(transcript: Transcript, place: str) -> None:
    text = "\u597d" * (MAX_WORDS + 1)  # a character of a script without spaces is a word
    if place == "text":
        answer = transcript.put({"text": text})
    elif place == "segments":
        answer = transcript.put({"segments": [{"text": text[:200_000]}, {"text": text[200_000:]}]})
    else:
        answer = transcript.patch(0, {"text": text})
    assert (answer.status_code, answer.json["code"]) == (400, "invalid")
    assert list(answer.json["errors"]) == ["segments" if place == "segments" else "text"]
    assert f"at most {MAX_WORDS} words" in answer.json["error"]
    assert transcript.said()[0] == "Good morning all."
