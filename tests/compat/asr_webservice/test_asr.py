"""The Whisper ASR webservice as its clients call it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from speakr.settings import Settings
from tests.compat.asr_webservice.shape import wrong_shape
from tests.conftest import Person, multipart, wav
from tests.fakes import FakeTranscriber, MemoryJobNotifier
from tests.support.clips import run_inline

pytestmark = pytest.mark.on_sqlite


@pytest.fixture(autouse=True)
def _inline(work: Callable[[], None], notifier: MemoryJobNotifier) -> None:
    run_inline(notifier)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, unauthenticated_user="alice")


def send(app: Flask, path: str, data: bytes | None = None, field: str = "audio_file") -> Any:
    body, content_type = multipart(wav(1.0) if data is None else data, "a.wav", {}, file_field=field)
    return app.test_client().post(f"/asr-webservice{path}", data=body, headers={"Content-Type": content_type})


def test_outputs(app: Flask, alice: Person) -> None:
    assert send(app, "/asr").data.decode() == "heard 0.1-0.4\nheard 0.5-0.9\n"
    body = send(app, "/asr?encode=true&task=transcribe&output=json&word_timestamps=true").json
    assert body["text"] == "heard 0.1-0.4 heard 0.5-0.9"
    assert body["segments"][0]["words"][0]["word"] == " heard"
    tsv = send(app, "/asr?output=tsv").data.decode()
    assert tsv == "start\tend\ttext\n100\t400\theard 0.1-0.4\n500\t900\theard 0.5-0.9\n"
    assert send(app, "/asr?output=srt").data.decode().startswith("1\n00:00:00,100 --> ")
    assert send(app, "/asr/?output=vtt").data.decode().startswith("WEBVTT\n\n00:00:00.100")


def test_options_reach_the_engine(app: Flask, alice: Person, transcriber: FakeTranscriber) -> None:
    send(app, "/asr?language=de&initial_prompt=A+talk.")
    (hints,) = transcriber.hints
    assert (hints.language, hints.initial_prompt) == ("de", "A talk.")


def test_the_language_is_detected(app: Flask, alice: Person) -> None:
    body = send(app, "/detect-language").json
    assert set(body) == {"detected_language", "language_code", "confidence"}


@pytest.mark.parametrize(
    ("path", "data", "field", "status"),
    [
        ("/asr?output=xml", None, "audio_file", 422),
        ("/asr?task=sing", None, "audio_file", 422),
        ("/asr?language=klingon", None, "audio_file", 422),
        ("/asr?task=translate", None, "audio_file", 400),
        ("/asr", None, "file", 422),
        ("/asr", b"no audio", "audio_file", 400),
        ("/nothing", None, "audio_file", 404),
    ],
)
def test_failures_have_its_shape(
    app: Flask, alice: Person, path: str, data: bytes | None, field: str, status: int
) -> None:
    answer = send(app, path, data, field)
    assert answer.status_code == status, answer.data
    assert wrong_shape(answer) == []
    assert answer.headers["X-Request-ID"]


def test_other_methods_and_wrong_tokens(app: Flask, alice: Person) -> None:
    answer = app.test_client().get("/asr-webservice/asr")
    assert (answer.status_code, wrong_shape(answer)) == (405, [])
    wrong = app.test_client().post("/asr-webservice/asr", headers={"Authorization": "Bearer wrong"})
    assert (wrong.status_code, wrong_shape(wrong)) == (401, [])


def test_the_document_describes_every_route_and_parameter(app: Flask) -> None:
    document = app.test_client().get("/asr-webservice/openapi.json").json
    described = {f"/asr-webservice{path}" for path in document["paths"]}
    routed = {rule.rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/asr-webservice/")}
    assert described == routed - {"/asr-webservice/openapi.json"}
    operation = document["paths"]["/asr"]["post"]
    assert {parameter["name"] for parameter in operation["parameters"]} >= {"task", "output", "language"}
    assert set(operation["responses"]) == {"200", "422", "default"}
