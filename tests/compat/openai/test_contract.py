"""OpenAI's audio API on a live server, as its contract states it: fields, streams, failures, models, strangers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.compat.openai.test_clients import LONG, PATH, SHORT, Live
from tests.conftest import multipart
from tests.intake.server import BOB, LIMIT_MB, MEGABYTE, SERVER_PATH, IntakeServer, wait_for

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]

TRANSLATIONS = "/v1/audio/translations"
CLIENT_TIMEOUT_SECONDS = 600
"""Of the official clients, which send a request again after it."""


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with IntakeServer(tmp_path_factory.mktemp("contract")) as server:
        found = Live(server)
        yield found
        found.close()


def events(answer: requests.Response) -> Iterator[str]:
    for line in answer.iter_lines(decode_unicode=True):
        if line.startswith("data: "):
            yield line.removeprefix("data: ")


def assert_refused(answer: requests.Response, status: int, code: str) -> dict[str, Any]:
    """Check the shape of a failure, and that it shows nothing of the server; return the error."""
    assert answer.status_code == status, answer.text
    error: dict[str, Any] = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["code"] == code
    assert answer.headers["X-Request-ID"]
    assert float(answer.headers["X-Process-Time-Ms"]) >= 0
    assert not SERVER_PATH.search(error["message"]), error
    return error


def test_fields_without_effect_and_unknown_ones_are_accepted(live: Live) -> None:
    fields = {
        "language": "en",
        "prompt": "A robot.",
        "temperature": "0.2",
        "include[]": "logprobs",
        "chunking_strategy[type]": "server_vad",
        "chunking_strategy[threshold]": "0.5",
        "chunking_strategy[prefix_padding_ms]": "300",
        "chunking_strategy[silence_duration_ms]": "200",
        "languages[]": "en",
        "keywords[]": "meters",
        "unknown": "ignored",
    }
    answer = live.post(PATH, SHORT, **fields)
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {"text", "usage"}
    assert answer.json()["usage"] == {"type": "duration", "seconds": 3}


@pytest.mark.parametrize("form", ["text", "srt", "vtt"])
def test_plain_text_is_sent_to_clients_that_accept_json(live: Live, form: str) -> None:
    body, content_type = multipart(
        SHORT.read_bytes(), "a.flac", {"model": "whisper-1", "response_format": form}
    )
    headers = {"Content-Type": content_type, "Accept": "application/json"}
    answer = live.server.request("POST", PATH, data=body, headers=headers)
    assert (answer.status_code, answer.headers["Content-Type"].partition(";")[0]) == (200, "text/plain")
    assert "forward" in answer.text.lower()


def test_a_stream_with_speakers_of_a_model_that_does_not_stream_elsewhere(live: Live) -> None:
    form = {"model": "whisper-1", "stream": "true", "response_format": "diarized_json"}
    body, content_type = multipart(LONG.read_bytes(), "a.flac", form)
    headers = {"Content-Type": content_type, "Accept": "application/json"}
    answer = live.server.request("POST", PATH, data=body, headers=headers, stream=True)
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    *found, last = events(answer)
    assert last == "[DONE]"
    parsed = [json.loads(each) for each in found]
    kinds = [each["type"].removeprefix("transcript.text.") for each in parsed]
    assert set(kinds) == {"delta", "segment", "done"}
    assert kinds[0] == "delta"
    assert kinds[-1] == "done"
    assert set(parsed[-1]) == {"type", "text"}
    segments = [each for each in parsed if each["type"] == "transcript.text.segment"]
    assert {each["speaker"] for each in segments} == {"A"}
    assert [each["start"] for each in segments] == sorted(each["start"] for each in segments)


def test_a_client_that_leaves_a_stream_stops_the_work(live: Live) -> None:
    body, content_type = multipart(LONG.read_bytes(), "a.flac", {"model": "whisper-1", "stream": "true"})
    headers = {"Content-Type": content_type}
    with requests.Session() as session:
        session.trust_env = False
        answer = session.post(
            f"http://127.0.0.1:{live.server.port}{PATH}",
            data=body,
            headers={**headers, "Authorization": live.client().auth_headers["Authorization"]},
            stream=True,
            timeout=60,
        )
        assert json.loads(next(events(answer)))["type"] == "transcript.text.delta"
        assert live.jobs()[0]["state"] == "running"
        answer.close()
    wait_for(lambda: live.jobs()[0]["state"] == "cancelled", "the job is cancelled")
    wait_for(lambda: not live.server.kept().blobs, "its file is deleted")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/files", 404, "not_found"),
        ("GET", "/v1", 404, "not_found"),
        ("GET", "/v1/models/gpt-9", 404, "model_not_found"),
        ("GET", PATH, 405, "method_not_allowed"),
        ("DELETE", "/v1/models", 405, "method_not_allowed"),
        ("POST", PATH, 400, "unsupported_media_type"),
    ],
)
def test_failures_of_addresses_and_methods(
    live: Live, method: str, path: str, status: int, code: str
) -> None:
    assert_refused(live.server.request(method, path), status, code)


def test_failures_of_fields_and_files(live: Live) -> None:
    before = live.server.kept()
    wrong = assert_refused(live.post(PATH, SHORT, response_format="xml"), 400, "invalid_value")
    assert wrong["param"] == "response_format"
    assert_refused(live.post(PATH, SHORT, model="gpt-9"), 404, "model_not_found")
    body, content_type = multipart(bytes((LIMIT_MB + 1) * MEGABYTE), "a.wav", {"model": "whisper-1"})
    large = live.server.request("POST", PATH, data=body, headers={"Content-Type": content_type})
    assert_refused(large, 413, "too_large")
    refused = assert_refused(live.post(TRANSLATIONS, SHORT), 400, "translation_unsupported")
    assert "does not translate" in refused["message"]
    after = live.server.kept()
    assert (after.rows, after.blobs) == (before.rows, before.blobs)


def test_a_reference_that_is_no_speech_is_refused(live: Live) -> None:
    fields = {
        "response_format": "diarized_json",
        "known_speaker_names[]": "Jane",
        "known_speaker_references[]": "data:audio/wav;base64,bm8gYXVkaW8=",
    }
    answer = live.post(PATH, SHORT, **fields)
    assert 400 <= answer.status_code < 500
    assert answer.json()["error"]["code"] == "reference_unusable"


def test_wrong_keys(live: Live) -> None:
    assert_refused(live.server.request("GET", "/v1/models", token="wrong"), 401, "invalid_api_key")
    files = {"file": ("a.flac", SHORT.read_bytes())}
    answer = live.server.request("POST", PATH, token="wrong", files=files)
    assert_refused(answer, 401, "invalid_api_key")


def test_every_listed_model_transcribes(live: Live) -> None:
    names = [model.id for model in live.client().models.list()]
    assert {"whisper-1", "gpt-4o-transcribe", "gpt-4o-mini-transcribe"} <= {*names}
    assert {"gpt-4o-transcribe-diarize", "gpt-transcribe"} <= {*names}
    for name in names:
        answer = live.client().audio.transcriptions.create(model=name, file=SHORT)
        assert "forward" in str(answer.text).lower(), name


def test_a_stranger_sees_nothing_of_a_transcription(live: Live) -> None:
    assert live.post(PATH, SHORT).status_code == 200
    job_id = live.jobs()[0]["id"]
    assert live.server.get("/api/v1/jobs", token=BOB)["jobs"] == []
    for method, path in (("GET", ""), ("POST", "/cancel"), ("POST", "/retry")):
        answer = live.server.request(method, f"/api/v1/jobs/{job_id}{path}", token=BOB)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_a_request_is_answered_before_clients_give_up() -> None:
    from speakr.settings import Settings

    assert Settings.__dataclass_fields__["clip_wait_seconds"].default < CLIENT_TIMEOUT_SECONDS
