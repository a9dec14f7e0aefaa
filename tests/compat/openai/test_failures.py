"""Every failure under /v1 has OpenAI's shape and the shared headers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from speakr.domain.permissions import Scope
from tests.compat.openai.shape import wrong_shape
from tests.conftest import Person, multipart, wav
from tests.fakes import FakeTranscriber, MemoryJobNotifier

pytestmark = pytest.mark.on_sqlite

PATH = "/v1/audio/transcriptions"


def send(person: Person, data: bytes | None = None, path: str = PATH, **fields: Any) -> Any:
    body, content_type = multipart(
        wav(1.0) if data is None else data, "clip.wav", {"model": "whisper-1", **fields}
    )
    return person.post(path, data=body, headers={"Content-Type": content_type})


def error_of(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.data
    assert wrong_shape(answer) == []
    assert answer.headers["X-Request-ID"]
    assert float(answer.headers["X-Process-Time-Ms"]) >= 0
    error: dict[str, Any] = answer.json["error"]
    return error


def test_unrouted_paths_and_methods(alice: Person) -> None:
    assert error_of(alice.get("/v1/files"), 404)["type"] == "invalid_request_error"
    assert error_of(alice.get("/v1"), 404)["code"] == "not_found"
    answer = alice.get(PATH)
    assert error_of(answer, 405)["code"] == "method_not_allowed"
    assert "POST" in answer.headers["Allow"]


def test_keys(app: Flask, alice: Person, make_person: Callable[..., Person]) -> None:
    client = app.test_client()
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        error = error_of(client.get("/v1/models", headers=headers), 401)
        assert (error["code"], error["type"]) == ("invalid_api_key", "authentication_error")
    reader = make_person("reader", scopes=frozenset({Scope.READ}))
    assert error_of(send(reader), 403)["type"] == "permission_error"
    assert error_of(client.get(f"/v1/models?token={alice.token}"), 401)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": ""}, "model"),
        ({"response_format": "xml"}, "response_format"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": "nan"}, "temperature"),
        ({"language": "klingon"}, "language"),
        ({"timestamp_granularities[]": "letter"}, "timestamp_granularities"),
        (
            {"response_format": "diarized_json", "known_speaker_names[]": "Jane"},
            "known_speaker_references",
        ),
    ],
)
def test_wrong_fields_are_named(
    alice: Person, inline: MemoryJobNotifier, fields: dict[str, str], param: str
) -> None:
    assert error_of(send(alice, **fields), 400)["param"] == param


def test_other_refusals(alice: Person, inline: MemoryJobNotifier) -> None:
    assert error_of(send(alice, model="gpt-9"), 404)["code"] == "model_not_found"
    assert error_of(alice.get("/v1/models/gpt-9"), 404)["code"] == "model_not_found"
    assert error_of(alice.post(PATH, json={"model": "whisper-1"}), 400)["code"] == "unsupported_media_type"
    assert error_of(send(alice, data=b"no audio"), 400)["code"] == "not_media"
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = alice.post(PATH, data=b"--b--\r\n", headers=headers)
    assert error_of(answer, 400)["param"] == "file"
    error = error_of(send(alice, path="/v1/audio/translations"), 400)
    assert "does not translate" in error["message"]


def test_a_file_that_is_too_large(
    app: Flask, alice: Person, monkeypatch: pytest.MonkeyPatch, inline: MemoryJobNotifier
) -> None:
    from speakr.services.recordings import size_limits

    monkeypatch.setattr(size_limits, "current", lambda: size_limits.SizeLimits(1, 1))
    assert error_of(send(alice, data=bytes(3 * 1024 * 1024)), 413)["code"] == "too_large"


def test_a_busy_server_may_be_asked_again(alice: Person) -> None:
    answer = send(alice)
    assert error_of(answer, 503)["type"] == "server_error"
    assert answer.headers["x-should-retry"] == "true"
    assert 0 < int(answer.headers["Retry-After"]) <= 60


def test_a_lasting_failure_of_the_server_is_not_repeated(
    alice: Person, inline: MemoryJobNotifier, transcriber: FakeTranscriber
) -> None:
    from speakr.domain.errors import ConnectorRejected

    def refuse(_: Any) -> None:
        raise ConnectorRejected("The key of the provider is wrong.")

    transcriber.before = refuse
    answer = send(alice)
    assert error_of(answer, 503)["code"] == "provider_rejected"
    assert answer.headers["x-should-retry"] == "false"
    assert "Retry-After" not in answer.headers


def test_an_unexpected_failure(alice: Person, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    from speakr.compat.openai import routes

    def fail() -> list[str]:
        raise RuntimeError("/srv/secret/path")

    monkeypatch.setattr(routes, "_names", fail)
    monkeypatch.setitem(app.config, "PROPAGATE_EXCEPTIONS", value=False)
    answer = alice.get("/v1/models")
    assert error_of(answer, 500)["type"] == "server_error"
    assert answer.headers["x-should-retry"] == "false"
    assert b"secret" not in answer.data


def test_too_many_requests(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    from speakr.domain.errors import RateLimited
    from speakr.web import identity

    def limited(rate: str) -> None:
        raise RateLimited(f"More than 1 request of the class '{rate}'.", retry_after_seconds=7)

    monkeypatch.setattr(identity, "count", limited)
    answer = alice.get("/v1/models")
    assert error_of(answer, 429)["code"] == "rate_limit_exceeded"
    assert answer.headers["Retry-After"] == "7"


def test_a_conflict_is_never_answered_with_409(app: Flask) -> None:
    from speakr.compat.openai.family import render
    from speakr.web.failures import Failure

    with app.test_request_context("/v1/models"):
        for status in (409, 415, 422):
            assert render(Failure(status=status, code="conflict", message="No.")).status_code == 400
        full = render(Failure(status=507, code="out_of_space", message="Full."))
        assert (full.status_code, full.headers["x-should-retry"]) == (503, "false")
