"""The texts of a recording, in every format."""

from __future__ import annotations

import pytest

from tests.conftest import Person, wav


@pytest.fixture
def done(alice: Person, upload, app, notifier, monkeypatch) -> int:
    """A recording with a transcript of two segments."""
    from speakr.domain.transcript import Span
    from speakr.jobs import runner, transcribe

    monkeypatch.setattr(transcribe, "find_speech", lambda _samples: [Span(0.0, 1.25), Span(1.5, 4.8)])
    made = upload(alice, wav(5.0)).json["id"]
    while notifier.notifications:
        runner.run(notifier.notifications.pop(0)[1])
    return int(made)


def test_json_is_the_default_and_words_come_on_demand(alice: Person, done: int) -> None:
    body = alice.get(f"/api/v1/recordings/{done}/transcript").json
    assert body["format"] == "json"
    assert body["revision"] == 0
    assert body["segments"][1].pop("id") > body["segments"][0]["id"]
    assert body["segments"][1] == {
        "speaker": "SPEAKER_00",
        "sentence": "heard 1.5-4.8",
        "start_time": 1.5,
        "end_time": 4.8,
        "confidence": 0.9,
        "words_per_minute": 36.4,
        "overlap": False,
    }
    words = alice.get(f"/api/v1/recordings/{done}/transcript?words=true").json["segments"][0]["words"]
    assert words == [{"word": "heard", "start": 0.0, "end": 1.25, "probability": 0.9}]


def test_text_srt_and_vtt_come_in_json(alice: Person, done: int) -> None:
    def content(name: str) -> str:
        body = alice.get(f"/api/v1/recordings/{done}/transcript?format={name}").json
        assert body["format"] == name.lower()
        return body["content"]

    assert content("TEXT") == "[SPEAKER_00]: heard 0.0-1.2\n[SPEAKER_00]: heard 1.5-4.8"
    body = alice.get(f"/api/v1/recordings/{done}/transcript?format=text&paragraphs=true").json
    assert body["content"] == "[SPEAKER_00]: heard 0.0-1.2 heard 1.5-4.8"
    assert "00:00:01,500 --> 00:00:04,800\nheard 1.5-4.8" in content("srt")
    assert content("vtt").startswith("WEBVTT\n\n")
    assert "<v SPEAKER_00>heard 1.5-4.8" in content("vtt")


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/plain", "text/plain"),
        ("text/vtt, application/json;q=0.5", "text/plain"),
        ("*/*", "application/json"),
        ("application/json,text/html,text/plain;q=0.9,*/*;q=0.7", "application/json"),
        ("application/json", "application/json"),
    ],
)
def test_bare_text_for_those_who_prefer_it(alice: Person, done: int, accept: str, kind: str) -> None:
    answer = alice.get(f"/api/v1/recordings/{done}/transcript?format=text", headers={"Accept": accept})
    assert answer.mimetype == kind


def test_unknown_formats_are_refused(alice: Person, done: int) -> None:
    answer = alice.get(f"/api/v1/recordings/{done}/transcript?format=docx")
    assert (answer.status_code, answer.json["error"]) == (400, "Unknown format: docx")


def test_before_there_is_one(alice: Person, upload) -> None:
    made = upload(alice).json["id"]
    answer = alice.get(f"/api/v1/recordings/{made}/transcript")
    assert (answer.status_code, answer.json["error"]) == (404, "No transcription available")
    assert alice.get(f"/api/v1/recordings/{made}/summary").json == {
        "summary": None,
        "has_summary": False,
        "sources": [],
        "coverage": None,
        "stale": False,
    }
    answer = alice.post(f"/api/v1/recordings/{made}/summarize")
    assert (answer.status_code, answer.json["error"]) == (
        400,
        "No transcription available - transcribe first",
    )


@pytest.mark.parametrize("kwargs", [{}, {"data": b"", "content_type": "application/json"}, {"json": {}}])
def test_processing_needs_no_body(alice: Person, done: int, kwargs: dict) -> None:
    assert (
        alice.post(f"/api/v1/recordings/{done}/transcribe", **kwargs).json["message"]
        == "Transcription queued"
    )
    assert alice.post(f"/api/v1/recordings/{done}/summarize", **kwargs).json["status"] == "QUEUED"


def test_audio_is_served_whole_and_in_parts(alice: Person, done: int) -> None:
    path = f"/api/v1/recordings/{done}/audio"
    whole = alice.get(path)
    assert whole.status_code == 200
    assert whole.data == wav(5.0)
    assert whole.headers["Accept-Ranges"] == "bytes"
    assert whole.mimetype.startswith("audio/")
    part = alice.get(path, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.data) == (206, whole.data[10:20])
    assert part.headers["Content-Range"] == f"bytes 10-19/{len(whole.data)}"
    beyond = alice.get(path, headers={"Range": "bytes=99999999-"})
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, f"bytes */{len(whole.data)}")
    assert beyond.json["code"] == "range_not_satisfiable"
    assert alice.get(path, headers={"If-None-Match": whole.headers["ETag"]}).status_code == 304
    assert alice.get(path, headers={"If-Modified-Since": whole.headers["Last-Modified"]}).status_code == 304
    assert alice.get(f"{path}?download=true").headers["Content-Disposition"].startswith("attachment")
    head = alice.head(path)
    assert (head.status_code, head.headers["Content-Length"], head.data) == (200, str(len(whole.data)), b"")


def test_watching_ends_with_the_outcome(alice: Person, done: int) -> None:
    answer = alice.get(f"/api/v1/recordings/{done}/live")
    assert answer.mimetype == "text/event-stream"
    text = answer.get_data(as_text=True)
    assert 'event: status\ndata: {"id":' in text
    assert '"status":"COMPLETED"' in text
    segments = [line for line in text.splitlines() if line.startswith("event: segment")]
    assert len(segments) == 2
    ids = [line.removeprefix("id: ") for line in text.splitlines() if line.startswith("id: ")]
    again = alice.get(f"/api/v1/recordings/{done}/live", headers={"Last-Event-ID": ids[-1]}).get_data(
        as_text=True
    )
    assert "event: segment" not in again
