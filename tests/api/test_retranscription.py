"""POST .../segments/{index}/retranscribe: a second transcription of one segment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Person, wav
from tests.fakes import MemoryJobNotifier
from tests.support.clips import run_inline


@pytest.fixture
def recording(
    alice: Person, upload: Callable[..., Any], work: Callable[[], None], notifier: MemoryJobNotifier
) -> int:
    """A transcribed recording of Alice's, whose first segment says something else."""
    number = int(upload(alice, data=wav(2.0)).json["id"])
    work()
    run_inline(notifier)
    changed = alice.patch(segment(number), json={"text": "An old mistake.", "speaker": "Ann"})
    assert changed.status_code == 200, changed.json
    return number


def segment(number: int, index: int = 0) -> str:
    return f"/api/v1/recordings/{number}/transcript/segments/{index}"


def again(person: Person, number: int, index: int = 0, **body: Any) -> Any:
    return person.post(f"/api/v1/recordings/{number}/segments/{index}/retranscribe", json=body)


def test_the_new_text_is_shown_and_nothing_changes(alice: Person, recording: int) -> None:
    answer = again(alice, recording)
    assert answer.status_code == 200, answer.json
    body = answer.json
    assert "heard" in body["text"]
    assert (body["old_text"], body["applied"], body["segment_index"]) == ("An old mistake.", False, 0)
    assert body["model"] == "fake"
    assert alice.get(segment(recording)).json["sentence"] == "An old mistake."
    assert alice.get(f"/api/v1/recordings/{recording}/transcript").json["revision"] == body["revision"]


def test_it_is_applied_if_asked_and_can_be_undone(alice: Person, recording: int) -> None:
    before = alice.get(segment(recording)).json
    body = again(alice, recording, apply=True, language="en").json
    assert body["applied"] is True
    after = alice.get(segment(recording)).json
    assert after["sentence"] == body["text"]
    assert (after["speaker"], after["start_time"], after["end_time"]) == (
        before["speaker"], before["start_time"], before["end_time"],
    )  # fmt: skip
    history = alice.get(f"/api/v1/recordings/{recording}/transcript/history").json["revisions"]
    assert history[0]["revision"] == body["revision"]
    assert alice.post(f"/api/v1/recordings/{recording}/transcript/undo").status_code == 200
    assert alice.get(segment(recording)).json["sentence"] == "An old mistake."


def test_a_recogniser_that_finds_nothing_deletes_nothing(
    alice: Person, recording: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from speakr.domain.clips import ClipResult
    from speakr.services.speech import clips

    nothing = ClipResult(text=" ", language=None, duration_seconds=0.3, segments=(), speakers=(), model="m")
    monkeypatch.setattr(clips, "wait", lambda *_: nothing)
    body = again(alice, recording, apply=True).json
    assert (body["applied"], body["confidence"]) == (False, None)
    assert alice.get(segment(recording)).json["sentence"] == "An old mistake."


def test_a_transcript_that_changes_meanwhile_is_not_overwritten(
    alice: Person, recording: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from speakr.services.speech import clips

    wait = clips.wait

    def change(*arguments: Any) -> Any:
        alice.patch(segment(recording), json={"text": "Corrected by hand."})
        return wait(*arguments)

    monkeypatch.setattr(clips, "wait", change)
    assert again(alice, recording, apply=True).status_code == 412
    assert alice.get(segment(recording)).json["sentence"] == "Corrected by hand."


def test_who_may_only_read_cannot_apply(alice: Person, bob: Person, recording: int) -> None:
    assert again(bob, recording).status_code == 404
    shared = alice.post(f"/api/v1/recordings/{recording}/shares", json={"username": "bob"})
    assert shared.status_code < 300, shared.json
    assert again(bob, recording).status_code == 200
    assert again(bob, recording, apply=True).status_code == 403


def test_what_there_is_not_is_not_found(alice: Person, recording: int) -> None:
    assert again(alice, recording, index=99).status_code == 404
    assert again(alice, 4711).status_code == 404


@pytest.mark.on_sqlite
@pytest.mark.parametrize(
    "body", [{"apply": "yes"}, {"language": "klingon"}, {"transcription_model": "no such model"}]
)
def test_wrong_options_are_refused(alice: Person, recording: int, body: dict[str, Any]) -> None:
    assert again(alice, recording, **body).status_code == 400


def test_a_range_is_transcribed_and_nothing_changes(alice: Person, bob: Person, recording: int) -> None:
    path = f"/api/v1/recordings/{recording}/retranscribe"
    before = alice.get(f"/api/v1/recordings/{recording}/transcript").json
    answer = alice.post(path, json={"start": 0.5, "end": 1.5, "language": "en"})
    assert answer.status_code == 200, answer.json
    assert (answer.json["start_time"], answer.json["end_time"]) == (0.5, 1.5)
    assert answer.json["text"] == " ".join(each["sentence"] for each in answer.json["segments"])
    assert all(each["start_time"] >= 0.5 for each in answer.json["segments"])
    assert alice.get(f"/api/v1/recordings/{recording}/transcript").json == before
    assert bob.post(path, json={"start": 0.5, "end": 1.5}).status_code == 404


@pytest.mark.on_sqlite
@pytest.mark.parametrize("times", [(1, 1), (1.5, 0.5), (-1, 1), (0, 60), (0, 1e300), ("a", 1), (0, None)])
def test_a_range_outside_the_recording_is_refused(
    alice: Person, recording: int, times: tuple[object, object]
) -> None:
    start, end = times
    answer = alice.post(f"/api/v1/recordings/{recording}/retranscribe", json={"start": start, "end": end})
    assert answer.status_code == 400, answer.json
    assert set(answer.json) >= {"error", "code", "request_id"}
