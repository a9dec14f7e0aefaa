"""Statistics, health, metrics and the OpenAPI document."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask import Flask
from openapi_spec_validator import validate

from speakr.domain.permissions import Scope
from speakr.services.system import readiness, stats
from tests.conftest import Person, wav

PUBLIC = {"register", "login", "refreshTokens"}
"""Operations that need no token: they give one."""


def test_stats_have_the_documented_shape_and_never_null_percentages(
    alice: Person, bob: Person, upload
) -> None:
    upload(alice)
    upload(bob)
    stats.forget()
    body = alice.get("/api/v1/stats").json
    assert body["recordings"] == {"total": 1, "completed": 0, "processing": 0, "pending": 1, "failed": 0}
    assert body["storage"] == {"used_bytes": len(wav()), "used_human": f"{len(wav()) / 1024:.1f} KB"}
    assert body["queue"] == {"jobs_queued": 1, "jobs_processing": 0, "oldest_waiting_seconds": 0}
    assert body["tokens"] == {"used_this_month": 0, "budget": None, "percentage": 0.0}
    assert body["activity"]["recordings_today"] == 1
    assert "error" not in body
    assert "users" not in body


def test_global_stats_are_for_admins_with_the_scope(make_person, alice: Person, upload) -> None:
    upload(alice)
    assert alice.get("/api/v1/stats?scope=all").json["error"] == "Admin access required for global stats"
    admin = make_person("root", is_admin=True)
    assert admin.get("/api/v1/stats?scope=all").status_code == 403
    full = make_person("root2", is_admin=True, scopes=frozenset(Scope))
    stats.forget()
    body = full.get("/api/v1/stats?scope=all").json
    assert body["recordings"]["total"] == 1
    assert body["users"] == {"total": 3, "active": 1}
    assert alice.get("/api/v1/stats?scope=bogus").status_code == 400


def test_bytes_are_shown_in_units_of_1024() -> None:
    assert [stats.human_bytes(size) for size in (0, 1023, 1024, 5368709120, 2**60)] == [
        "0.0 B",
        "1023.0 B",
        "1.0 KB",
        "5.0 GB",
        "1024.0 PB",
    ]


def test_me(alice: Person) -> None:
    body = alice.get("/api/v1/users/me").json
    assert (body["id"], body["username"], body["is_admin"]) == (alice.id, "alice", False)
    assert body["preferences"]["auto_speaker_labelling_threshold"] == 0.75
    assert body["group_memberships"] == []


def test_health_needs_no_token(app: Flask) -> None:
    assert app.test_client().get("/healthz").json == {"status": "ok"}


def test_readiness_names_what_is_missing(app: Flask, redis_connection) -> None:
    answer = app.test_client().get("/readyz")
    assert answer.status_code == 503
    checks = answer.json["checks"]
    assert {name for name, check in checks.items() if check["ok"]} == {
        "database",
        "redis",
        "storage",
        "queue",
    }
    assert checks["dispatcher"]["reason"] == "no dispatcher reports"
    redis_connection.set("speakr:dispatcher", "1", ex=5)
    readiness.forget()
    assert app.test_client().get("/readyz").status_code == 200


class TestWithoutRedis:
    @pytest.fixture
    def settings(self, settings, tmp_path):
        return replace(settings, redis_url=f"unix://{tmp_path}/nobody.sock")

    def test_readiness_fails_and_shows_no_path(self, app: Flask, tmp_path) -> None:
        answer = app.test_client().get("/readyz")
        assert answer.status_code == 503
        assert answer.json["checks"]["redis"] == {"ok": False, "reason": "unreachable"}
        assert str(tmp_path) not in answer.get_data(as_text=True)

    def test_an_upload_is_taken_in_all_the_same(self, alice: Person, upload) -> None:
        assert upload(alice).status_code == 202


def test_metrics_are_for_loopback_or_the_token(app: Flask, alice: Person, upload) -> None:
    upload(alice)
    text = app.test_client().get("/metrics").get_data(as_text=True)
    assert 'speakr_jobs{state="queued"} 1.0' in text
    assert 'route="/api/v1/recordings/upload"' in text
    assert app.test_client().get("/metrics", environ_base={"REMOTE_ADDR": "203.0.113.5"}).status_code == 404
    assert app.test_client().get("/metrics", headers={"X-Forwarded-For": "203.0.113.5"}).status_code == 404


class TestMetricsToken:
    @pytest.fixture
    def settings(self, settings):
        return replace(settings, metrics_token="a-token-for-prometheus")

    def test_only_the_token_opens(self, app: Flask) -> None:
        client = app.test_client()
        assert client.get("/metrics").status_code == 404
        assert (
            client.get("/metrics", headers={"Authorization": "Bearer a-token-for-prometheus"}).status_code
            == 200
        )


@pytest.mark.on_sqlite
def test_the_document_is_valid_and_complete(app: Flask) -> None:
    spec = app.test_client().get("/api/v1/openapi.json").json
    validate(spec)
    assert spec["servers"] == [{"url": "/api/v1"}]
    assert "/recordings/{recording_id}" in spec["paths"]
    operations = [
        (path, method, operation)
        for path, item in spec["paths"].items()
        for method, operation in item.items()
        if method in {"get", "post", "put", "patch", "delete"}
    ]
    ids = [operation["operationId"] for _, _, operation in operations]
    assert len(ids) == len(set(ids)) > 30
    for path, method, operation in operations:
        assert {"401", "404", "429", "500"} <= set(operation["responses"]), (method, path)
        assert operation["security"] or operation["operationId"] in PUBLIC, (method, path)
        assert operation["summary"], (method, path)


def test_the_documentation_page_needs_nothing_from_outside(app: Flask) -> None:
    client = app.test_client()
    page = client.get("/api/v1/docs/", buffered=True).get_data(as_text=True)
    assert "swagger-ui" in page
    assert "https://" not in page.replace("https://www.w3.org", "")
    assert client.get("/api/v1/docs/swagger-ui-bundle.js", buffered=True).status_code == 200
    assert client.get("/api/v1/docs/nothing.js").status_code == 404
