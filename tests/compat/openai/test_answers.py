"""The answers of OpenAI's audio API in all formats, and its streams."""

from __future__ import annotations

import json
from typing import Any

import pytest

from speakr.compat.openai import schemas
from speakr.domain.clips import ClipResult
from speakr.domain.transcript import Hints, Segment
from tests.compat.openai.test_failures import send
from tests.conftest import Person
from tests.fakes import FakeTranscriber, MemoryJobNotifier

pytestmark = pytest.mark.on_sqlite

TEXT = "heard 0.1-0.4 heard 0.5-0.9"


def test_json_has_the_text_and_its_seconds(alice: Person, inline: MemoryJobNotifier) -> None:
    answer = send(alice, an_unknown_field="ignored", **{"include[]": "logprobs", "chunking_strategy": "auto"})
    assert answer.status_code == 200, answer.data
    assert answer.json == {"text": TEXT, "usage": {"type": "duration", "seconds": 1}}


def test_text_srt_and_vtt_are_plain_text_whatever_is_accepted(
    alice: Person, inline: MemoryJobNotifier
) -> None:
    text = send(alice, response_format="text")
    assert (text.data.decode(), text.mimetype) == (f"{TEXT}\n", "text/plain")
    srt = send(alice, response_format="srt").data.decode()
    assert srt == (
        "1\n00:00:00,100 --> 00:00:00,400\nheard 0.1-0.4\n\n2\n00:00:00,500 --> 00:00:00,900\nheard 0.5-0.9\n"
    )
    vtt = send(alice, response_format="vtt").data.decode()
    assert vtt.startswith("WEBVTT\n\n00:00:00.100 --> 00:00:00.400\nheard 0.1-0.4\n")


def test_verbose_json_has_segments_and_words_only_when_asked(
    alice: Person, inline: MemoryJobNotifier
) -> None:
    body = send(alice, response_format="verbose_json").json
    assert (body["task"], body["duration"], body["text"]) == ("transcribe", 1.0, TEXT)
    assert "words" not in body
    assert set(body["segments"][0]) == {
        "id", "seek", "start", "end", "text", "tokens", "temperature", "avg_logprob", "compression_ratio",
        "no_speech_prob",
    }  # fmt: skip
    fields: dict[str, Any] = {"timestamp_granularities[]": "word"}
    words = send(alice, response_format="verbose_json", **fields).json
    assert "segments" not in words
    assert words["words"][0] == {"word": "heard", "start": 0.1, "end": 0.4}


def test_diarized_json_names_speakers_by_letters(alice: Person, inline: MemoryJobNotifier) -> None:
    body = send(alice, response_format="diarized_json").json
    assert body["segments"][0] == {
        "type": "transcript.text.segment",
        "id": "seg_0",
        "start": 0.1,
        "end": 0.4,
        "text": "heard 0.1-0.4",
        "speaker": "A",
    }


def test_letters_leave_known_names_alone() -> None:
    segments = [
        Segment(0, 1, "One", "A"),
        Segment(1, 2, "Two", "SPEAKER_00"),
        Segment(2, 3, "Three", "SPEAKER_03"),
    ]
    result = ClipResult(
        text="",
        language="en",
        duration_seconds=3,
        segments=segments,
        speakers=["A", "SPEAKER_00", "SPEAKER_03"],
        model="fake",
    )
    assert [each["speaker"] for each in schemas.speaker_segments(result)] == ["A", "B", "C"]


def events_of(answer: Any) -> list[Any]:
    blocks = [block for block in answer.data.decode().split("\n\n") if block and not block.startswith(":")]
    return [block.removeprefix("data: ") for block in blocks]


def test_a_stream_has_deltas_the_text_and_a_mark_at_its_end(alice: Person, inline: MemoryJobNotifier) -> None:
    answer = send(alice, stream="true")
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    *events, last = events_of(answer)
    assert last == "[DONE]"
    found = [json.loads(event) for event in events]
    assert [each["type"] for each in found] == [
        "transcript.text.delta",
        "transcript.text.delta",
        "transcript.text.done",
    ]
    assert "".join(each["delta"] for each in found[:-1]) == found[-1]["text"] == TEXT


def test_a_diarized_stream_has_segments_with_speakers(alice: Person, inline: MemoryJobNotifier) -> None:
    found = [
        json.loads(event)
        for event in events_of(send(alice, stream="true", response_format="diarized_json"))[:-1]
    ]
    segments = [each for each in found if each["type"] == "transcript.text.segment"]
    assert [each["speaker"] for each in segments] == ["A", "A"]


def test_a_failure_in_mid_stream_is_an_error_event(
    alice: Person, inline: MemoryJobNotifier, transcriber: FakeTranscriber
) -> None:
    from speakr.domain.errors import ConnectorRejected

    def refuse(_: Any) -> None:
        raise ConnectorRejected("The provider refuses.")

    transcriber.before = refuse
    answer = send(alice, stream="true")
    assert answer.status_code == 200
    (event,) = events_of(answer)
    assert json.loads(event)["error"]["message"] == "The provider refuses."


def test_options_reach_the_engine(
    alice: Person, inline: MemoryJobNotifier, transcriber: FakeTranscriber
) -> None:
    fields: dict[str, Any] = {"keywords[]": "Zaphod"}
    send(alice, language="German", prompt="A talk.", model="gpt-4o-transcribe", **fields)
    assert transcriber.hints == [Hints(language="de", initial_prompt="A talk.", hotwords="Zaphod")]


def test_an_engine_that_translates_is_asked_to(
    alice: Person, inline: MemoryJobNotifier, transcriber: FakeTranscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dataclasses

    from speakr.services.speech import engines

    monkeypatch.setattr(engines, "translates", lambda: True)
    monkeypatch.setattr(
        transcriber, "capabilities", dataclasses.replace(transcriber.capabilities, translation=True)
    )
    answer = send(alice, path="/v1/audio/translations", response_format="verbose_json")
    assert (answer.status_code, answer.json["task"], answer.json["language"]) == (200, "translate", "english")
    assert transcriber.hints[0].translate is True


def test_models_are_listed_with_and_without_a_final_slash(alice: Person) -> None:
    for path in ("/v1/models", "/v1/models/"):
        found = alice.get(path).json
        assert found["object"] == "list"
        assert "whisper-1" in [model["id"] for model in found["data"]]
    one = alice.get("/v1/models/gpt-4o-transcribe").json
    assert (one["id"], one["object"]) == ("gpt-4o-transcribe", "model")


def test_the_document_describes_every_route(alice: Person, app: Any) -> None:
    document = app.test_client().get("/v1/openapi.json").json
    described = {
        f"{method.upper()} /v1{path.replace('{model}', '<path:name>')}"
        for path, methods in document["paths"].items()
        for method in methods
    }
    routed = {
        f"{method} {rule.rule}"
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/v1/") and rule.rule != "/v1/openapi.json"
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    assert described == routed


def test_the_engines_own_models_may_be_named(
    alice: Person, inline: MemoryJobNotifier, transcriber: FakeTranscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    from speakr.services.speech import engines

    monkeypatch.setattr(engines, "offered_models", lambda: ["base.en"])
    assert alice.get("/v1/models").json["data"][-1]["id"] == "base.en"
    assert send(alice, model="base.en").status_code == 200
    assert [hints.model for hints in transcriber.hints] == ["base.en"]
