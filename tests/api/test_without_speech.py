"""Recordings in which nothing is said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from speakr.db import db
from speakr.models import Event
from tests.conftest import Person
from tests.support.audio import wav

R = "/api/v1/recordings"


@pytest.fixture
def silent(
    alice: Person, upload: Callable[..., Any], work: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> int:
    """A recording of alice's that was transcribed and has no segment."""
    from speakr.jobs import transcribe

    recording: int = upload(alice, wav()).json["id"]
    monkeypatch.setattr(transcribe, "find_speech", lambda _: [])
    work()
    return recording


@pytest.mark.parametrize("what", ["summarize", "extract"])
def test_there_is_nothing_to_summarise_or_extract(what: str, alice: Person, silent: int) -> None:
    before = alice.get(f"{R}/{silent}/status").json
    assert before["status"] == "COMPLETED"
    refused = alice.post(f"{R}/{silent}/{what}")
    assert (refused.status_code, refused.json["code"]) == (400, "no_transcription")
    assert refused.json["error"] == "No transcription available - transcribe first"
    assert alice.get(f"{R}/{silent}/status").json == before
    assert "failed" not in "".join(str(each) for each in db.session.scalars(select(Event.type)))


def test_lists_say_that_it_has_no_transcription(alice: Person, silent: int) -> None:
    (item,) = alice.get(R).json["recordings"]
    assert (item["id"], item["has_transcription"]) == (silent, False)
    assert alice.get(f"{R}/{silent}").json["transcription"] is None
    assert alice.get(f"{R}/{silent}/transcript").json["segments"] == []


def test_a_text_that_is_written_later_is_a_transcription(alice: Person, silent: int) -> None:
    assert alice.put(f"{R}/{silent}/transcript", json={"text": "What was meant."}).status_code == 200
    assert alice.get(R).json["recordings"][0]["has_transcription"] is True
    assert alice.post(f"{R}/{silent}/summarize").status_code == 200
    assert alice.post(f"{R}/{silent}/transcript/undo").status_code == 200
    assert alice.get(R).json["recordings"][0]["has_transcription"] is False
