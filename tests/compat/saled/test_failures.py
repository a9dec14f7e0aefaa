"""Every failure under the prefix is `{detail}`, and any page may read it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from speakr.backends import Backends
from speakr.services.jobs import progress
from speakr.settings import Settings
from tests.conftest import Person
from tests.support.apps import BuiltApps

pytestmark = pytest.mark.on_sqlite

PAGE = "https://page.example.org"
JSON = {"content_type": "application/json"}

REQUESTS: dict[str, tuple[str, str, dict[str, Any], int]] = {
    "no route": ("GET", "nothing", {}, 404),
    "another method": ("DELETE", "api/transcribe/jobs", {}, 405),
    "too large a body": ("POST", "api/chat/", {"data": b" " * (9 << 20), **JSON}, 413),
    "another type": ("POST", "api/chat/", {"data": b"x", "content_type": "text/plain"}, 415),
    "no form": ("POST", "api/transcribe/", {"data": b"x", "content_type": "text/plain"}, 415),
    "broken JSON": ("POST", "api/chat/", {"data": b"{", **JSON}, 400),
    "a missing field": ("POST", "api/chat/", {"json": {}}, 422),
    "a WebSocket by GET": ("GET", "api/transcribe/live/x", {}, 400),
    "a wrong token": ("GET", "api/transcribe/jobs", {"headers": {"Authorization": "Bearer x"}}, 401),
}


@pytest.fixture
def with_settings(
    app: Flask, built_apps: BuiltApps, settings: Settings, backends: Backends, alice: Person
) -> Callable[..., FlaskClient]:
    """Build a client of a server with other settings."""

    def build(**changed: Any) -> FlaskClient:
        other = replace(settings, **changed)
        return built_apps.of(other, replace(backends, settings=other), is_second=True).test_client()

    return build


def detail_of(answer: Any) -> Any:
    assert set(answer.json) == {"detail"}, answer.json
    assert answer.headers["X-Request-ID"]
    assert answer.headers["X-Process-Time-Ms"]
    return answer.json["detail"]


@pytest.mark.parametrize("name", REQUESTS)
def test_every_failure_has_a_detail(client: FlaskClient, name: str) -> None:
    method, path, sent, status = REQUESTS[name]
    answer = client.open(f"/saled/{path}", method=method, **sent)
    assert answer.status_code == status
    assert detail_of(answer)


def test_any_page_may_read_failures_but_sends_no_cookies(client: FlaskClient) -> None:
    for path in ("nothing", "api/transcribe/jobs"):
        answer = client.get(f"/saled/{path}", headers={"Origin": PAGE})
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in answer.headers


def test_an_unexpected_exception_shows_nothing(
    client: FlaskClient, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("/srv/secret/path")

    monkeypatch.setattr(progress, "newest", fail)
    client.application.config["PROPAGATE_EXCEPTIONS"] = False
    headers = {"Origin": PAGE, "Authorization": f"Bearer {alice.token}"}
    answer = client.get("/saled/api/transcribe/jobs", headers=headers)
    assert answer.status_code == 500
    assert "secret" not in detail_of(answer)
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_a_missing_file_is_named(client: FlaskClient) -> None:
    answer = client.post(
        "/saled/api/transcribe/", data={"model_name": "tiny.en"}, content_type="multipart/form-data"
    )
    assert answer.status_code == 422
    assert detail_of(answer)[0]["loc"] == ["body", "file"]


@pytest.mark.parametrize("data", [b"hello", b"", b"RIFF____WAVE"])
def test_a_file_without_sound_is_refused(send: Callable[..., Any], data: bytes) -> None:
    answer = send(data=data)
    assert answer.status_code == 400
    assert isinstance(detail_of(answer), str)


def test_too_many_requests(with_settings: Callable[..., FlaskClient]) -> None:
    client = with_settings(rate_limits_enabled=True, rate_limit_get=1)
    answers = [client.get("/saled/api/transcribe/jobs") for _ in range(3)]
    assert [answer.status_code for answer in answers][-1] == 429
    assert detail_of(answers[-1])
    assert int(answers[-1].headers["Retry-After"]) >= 1


# -- who may call


def test_it_is_off_until_an_owner_is_set(with_settings: Callable[..., FlaskClient], alice: Person) -> None:
    client = with_settings(unauthenticated_user="")
    answer = client.get("/saled/api/transcribe/jobs")
    assert answer.status_code == 403
    assert "SPEAKR_UNAUTHENTICATED_USER" in detail_of(answer)
    with_token = client.get("/saled/api/transcribe/jobs", headers={"Authorization": f"Bearer {alice.token}"})
    assert with_token.status_code == 200


def test_a_token_acts_as_its_own_user(client: FlaskClient, send: Callable[..., Any], bob: Person) -> None:
    job = send(headers={"Authorization": f"Bearer {bob.token}"}).json["job_id"]
    assert client.get("/saled/api/transcribe/jobs").json["count"] == 0
    assert client.get(f"/saled/api/transcribe/status/{job}").json["status"] == "not_found"
    assert bob.get("/api/v1/recordings").json["pagination"]["total"] == 1


def test_preflights_of_any_page_are_answered(client: FlaskClient) -> None:
    answer = client.options(
        "/saled/api/transcribe/", headers={"Origin": PAGE, "Access-Control-Request-Method": "POST"}
    )
    assert answer.status_code == 204
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_a_foreign_page_needs_a_token(client: FlaskClient, alice: Person) -> None:
    path = "/saled/api/transcribe/jobs"
    refused = client.get(path, headers={"Origin": PAGE})
    assert refused.status_code == 403
    assert "another origin" in detail_of(refused)
    allowed = client.get(path, headers={"Origin": PAGE, "Authorization": f"Bearer {alice.token}"})
    assert allowed.status_code == 200


@pytest.mark.parametrize("origins", ["*", PAGE])
def test_pages_that_the_operator_names_need_no_token(
    with_settings: Callable[..., FlaskClient], origins: str
) -> None:
    client = with_settings(cors_origins=origins)
    assert client.get("/saled/api/transcribe/jobs", headers={"Origin": PAGE}).status_code == 200


def test_the_document_and_its_page(client: FlaskClient) -> None:
    page = client.get("/saled/docs/")
    assert (page.status_code, page.mimetype) == (200, "text/html")
    assert client.get("/saled/docs").status_code in {200, 308}
    paths = client.get("/saled/openapi.json").json["paths"]
    assert "requestBody" in paths["/saled/api/summary/"]["post"]
    assert "/saled/api/transcribe/result/{job_id}" in paths
