"""A format of transcripts takes one file and one line, for text or for bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from speakr.exports import EXPORTERS
from speakr.exports.base import Source
from tests.conftest import Person
from tests.exports.toy_format import TOY


@pytest.fixture
def transcript(
    alice: Person, upload: Callable[..., Any], work: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> str:
    """The address of a transcript, on a server that knows the toy formats."""
    monkeypatch.setitem(EXPORTERS, "toy", TOY)
    as_text = replace(
        TOY, name="toy-text", is_binary=False, write=lambda source: iter([source.segments[0].text])
    )
    monkeypatch.setitem(EXPORTERS, "toy-text", as_text)
    recording_id = upload(alice).json["id"]
    work()
    return f"/api/v1/recordings/{recording_id}/transcript"


def test_a_format_of_bytes_is_answered_as_a_file(alice: Person, transcript: str) -> None:
    answer = alice.get(f"{transcript}?format=TOY")
    assert answer.status_code == 200
    assert answer.mimetype == "application/x-toy"
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=")
    assert ".toy" in answer.headers["Content-Disposition"]
    said = [row["sentence"] for row in alice.get(transcript).json["segments"]]
    assert answer.data == b"TOY\0" + "".join(said).encode("utf-16-le")


def test_a_format_of_bytes_is_sent_while_it_is_written(
    alice: Person, transcript: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []

    def write(_: Source) -> Any:
        for number in range(1000):
            written.append(number)
            yield bytes(1000)

    monkeypatch.setitem(EXPORTERS, "toy", replace(TOY, write=write))
    headers = {"Authorization": f"Bearer {alice.token}"}
    answer = alice.client.get(f"{transcript}?format=toy", headers=headers, buffered=False)
    next(answer.iter_encoded())
    assert len(written) < 1000
    answer.close()


def test_a_format_of_text_is_answered_like_the_others(alice: Person, transcript: str) -> None:
    said = alice.get(transcript).json["segments"][0]["sentence"]
    assert alice.get(f"{transcript}?format=toy-text").json == {"format": "toy-text", "content": said}
    bare = alice.get(f"{transcript}?format=toy-text", headers={"Accept": "text/plain"})
    assert (bare.mimetype, bare.text) == ("application/x-toy", said)


def test_a_refusal_names_all_formats(alice: Person, transcript: str) -> None:
    answer = alice.get(f"{transcript}?format=docx")
    assert answer.status_code == 400
    assert answer.json["errors"]["format"] == ["json, text, srt, vtt, toy or toy-text"]
