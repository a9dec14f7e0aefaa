"""Text of engines and models is cleaned before it is stored, shown or exported, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from speakr.db import db, release
from speakr.domain.clock import now
from speakr.domain.conversation import ChatAnswer
from speakr.domain.errors import ConnectorRejected
from speakr.domain.insights import ActionItem, Chapter, DatedEvent, Insights, Topic
from speakr.domain.speakers import Identification
from speakr.domain.statements import Source, Statement
from speakr.domain.summaries import Summary, Title
from speakr.domain.transcript import Hypothesis, Segment, Word
from speakr.models import Recording
from tests.conftest import Person
from tests.fakes import FakeTranscriber, FakeWriter

DIRT = "\x00\x07\x1b[31m\ud83d\u202e"
LEFT = "\ufffd"
"""What is left of the dirt: the lone surrogate is replaced, the rest removed."""
BAD = "![pixel](http://evil.example/p.png) [click](javascript:alert(1)) <script>x</script> a < b"
GOOD = "pixel [click] < script>x< /script> a < b"


@pytest.fixture
def hostile_transcriber(transcriber: FakeTranscriber, monkeypatch: pytest.MonkeyPatch) -> FakeTranscriber:
    def transcribe(chunk: Any, _hints: Any, on_segment: Callable[[Segment], None]) -> Hypothesis:
        segments = []
        for span in chunk.spans:
            words = [Word(f" spoken{DIRT}", span.start, span.end), Word("\x00", span.end, span.end)]
            segments.append(
                Segment(
                    span.start, span.end, f"spoken{DIRT} a < b", speaker=f"ANN{DIRT}" + "x" * 300, words=words
                )
            )
            on_segment(segments[-1])
        return Hypothesis(segments, language=f"en{DIRT}" + "x" * 100)

    monkeypatch.setattr(transcriber, "transcribe", transcribe)
    return transcriber


class HostileWriter(FakeWriter):
    def summarize(self, request: Any) -> Summary:
        claim = Statement(f"Said {BAD}{DIRT}", [Source(0, request.lines[0].text)], is_verified=True)
        return Summary(
            markdown=f"# Summary{DIRT}\n\n- {BAD}\r\n- more\r",
            evidence={2: claim},
            engine=f"fake{DIRT}",
            is_extractive=False,
            lines_read=len(request.lines),
        )

    def write_title(self, request: Any) -> Title:
        return Title(text=f"Title{DIRT}\n{BAD}")

    def extract(self, request: Any) -> Insights:
        claim = Statement(f"{BAD}{DIRT}", [Source(0, request.lines[0].text)], is_verified=True)
        return Insights(
            engine=f"fake{DIRT}",
            is_extractive=False,
            lines_read=len(request.lines),
            key_points=[claim],
            action_items=[ActionItem(claim=claim, owner=f"Ann{DIRT}", due=f"soon{DIRT}")],
            chapters=[Chapter(f"Chapter{DIRT}", 0)],
            topics=[Topic(f"Topic{DIRT}", [])],
            events=[DatedEvent(claim=claim, start=now(), location=f"Room{DIRT}", attendees=[f"Bob{DIRT}"])],
        )

    def chat(self, request: Any) -> ChatAnswer:
        return ChatAnswer(
            text=f"Line one{DIRT}\n{BAD}", sources=[], engine="fake", unverified=[f"{BAD}{DIRT}"]
        )

    def identify_speakers(self, request: Any) -> Identification:
        return Identification(names=dict.fromkeys(request.labels, f"Ann{DIRT} <b>"))


@pytest.fixture
def writer() -> FakeWriter:
    return HostileWriter()


def assert_clean(text: str) -> None:
    for bad in (
        "\\u0000",
        "\\u001b",
        "\\u0007",
        "\\ud83d",
        "\\u202e",
        *"\x00\x07\x1b\ud83d\u202e",
        "<script",
        "javascript:",
        "evil.example",
    ):
        assert bad not in text


@pytest.fixture
def recording_id(
    hostile_transcriber: FakeTranscriber,
    alice: Person,
    upload: Callable[..., Any],
    work: Callable[[], None],
) -> int:
    number: int = upload(alice).json["id"]
    work()
    return number


def test_transcripts_are_stored_clean(alice: Person, recording_id: int) -> None:
    shown = alice.get(f"/api/v1/recordings/{recording_id}/transcript?format=json&words=true").json
    segment = shown["segments"][0]
    assert segment["sentence"] == f"spoken{LEFT} a < b"
    assert [word["word"] for word in segment["words"]] == [f" spoken{LEFT}"]
    assert len(segment["speaker"]) <= 120
    release()
    recording = db.session.get_one(Recording, recording_id)
    assert (recording.status.value, recording.language) == ("COMPLETED", None)
    for kind in ("text", "srt", "vtt"):
        assert_clean(alice.get(f"/api/v1/recordings/{recording_id}/transcript?format={kind}").text)


def test_summaries_titles_and_insights_are_stored_clean(alice: Person, recording_id: int) -> None:
    address = f"/api/v1/recordings/{recording_id}"
    shown = alice.get(address).json
    assert shown["summary"] == f"# Summary{LEFT}\n\n- {GOOD} \n- more "
    assert shown["title"] == f"Title{LEFT} {GOOD}"
    evidence = alice.get(f"{address}/summary").json["sources"]
    assert [(each["line"], each["text"]) for each in evidence] == [(2, f"Said {GOOD}{LEFT}")]
    assert evidence[0]["sources"][0]["quote"] == f"spoken{LEFT} a < b"
    insights = alice.get(f"{address}/insights").json
    assert insights["key_points"][0]["text"] == f"{GOOD}{LEFT}"
    assert insights["action_items"][0]["owner"] == f"Ann{LEFT}"
    for path in ("", "/insights", "/events", "/events/ics", "/export", "/summary"):
        answer = alice.get(f"{address}{path}")
        assert answer.status_code == 200, path
        assert_clean(answer.text)


def test_answers_and_names_are_clean(alice: Person, recording_id: int) -> None:
    address = f"/api/v1/recordings/{recording_id}"
    answer = alice.post(f"{address}/chat", json={"message": "What was said?"}).json
    assert answer["response"] == f"Line one{LEFT}\n{GOOD}"
    assert answer["unverified"] == [f"{GOOD}{LEFT}"]
    names = alice.post(f"{address}/speakers/identify", json={})
    assert names.status_code == 200, names.json
    assert_clean(names.text)


def test_messages_of_providers_are_clean(
    alice: Person,
    transcriber: FakeTranscriber,
    upload: Callable[..., Any],
    work: Callable[[], None],
) -> None:
    def refuse(_chunk: Any) -> None:
        raise ConnectorRejected(f"No{DIRT}: " + "x" * 2000)

    transcriber.before = refuse
    number = upload(alice).json["id"]
    work()
    shown = alice.get(f"/api/v1/recordings/{number}")
    assert shown.json["status"] == "FAILED"
    assert f"No{LEFT}: xxx" in shown.text
    assert_clean(shown.text)


def test_no_part_calls_an_engine_past_the_border() -> None:
    from pathlib import Path

    import speakr

    package = Path(speakr.__file__).parent
    callers = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if any(f".make_{kind}()" in path.read_text() for kind in ("writer", "transcriber", "fallback"))
    }
    assert callers == {"backends.py"}
