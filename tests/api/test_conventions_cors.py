"""Cross-origin requests: refused unless the operator allows the origin; allowed pages can read failures."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask import Flask

from speakr.settings import Settings, SettingsError
from tests.conftest import SECRET, Person

pytestmark = pytest.mark.on_sqlite

PAGE = "https://app.example.org"
STRANGER = "https://evil.example"
PREFLIGHT = {
    "Access-Control-Request-Method": "PUT",
    "Access-Control-Request-Headers": "authorization,if-match",
}


def cors_headers(answer) -> set[str]:
    return {name for name, _ in answer.headers if name.lower().startswith("access-control-")}


def names(text: str) -> set[str]:
    return {name.strip() for name in text.split(",")}


class TestByDefault:
    def test_no_page_is_let_in(self, alice: Person) -> None:
        answer = alice.get("/api/v1/users/me", headers={"Origin": PAGE})
        assert cors_headers(answer) == set()
        assert "Origin" not in answer.headers.get("Vary", "")
        preflight = alice.client.options("/api/v1/users/me", headers={"Origin": PAGE, **PREFLIGHT})
        assert cors_headers(preflight) == set()


class TestNamedPages:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return replace(
            settings,
            cors_origins=f"{PAGE}, http://localhost:3000",
            rate_limits_enabled=True,
            rate_limit_stats=1,
        )

    @pytest.mark.parametrize("origin", [PAGE, "http://localhost:3000"])
    def test_a_named_page_may_ask_without_a_token(self, app: Flask, origin: str) -> None:
        answer = app.test_client().options(
            "/api/v1/recordings/1/notes", headers={"Origin": origin, **PREFLIGHT}
        )
        assert (answer.status_code, answer.data) == (204, b"")
        assert answer.headers["Access-Control-Allow-Origin"] == origin
        assert answer.headers["Vary"] == "Origin"
        assert {"GET", "POST", "PUT", "PATCH", "DELETE"} <= names(
            answer.headers["Access-Control-Allow-Methods"]
        )
        assert {
            "Authorization",
            "X-API-Token",
            "API-Token",
            "Content-Type",
            "Idempotency-Key",
            "If-Match",
            "If-None-Match",
            "X-Request-ID",
            "Last-Event-ID",
        } <= names(answer.headers["Access-Control-Allow-Headers"])
        assert int(answer.headers["Access-Control-Max-Age"]) > 0
        assert "Access-Control-Allow-Credentials" not in answer.headers

    def test_preflights_count_against_no_limit(self, app: Flask) -> None:
        for _ in range(200):
            answer = app.test_client().options("/api/v1/stats", headers={"Origin": PAGE, **PREFLIGHT})
            assert answer.status_code == 204

    @pytest.mark.parametrize("origin", [STRANGER, "null", f"{PAGE}.evil.example", f"{PAGE}:444", ""])
    def test_other_origins_are_refused_everywhere(self, alice: Person, origin: str) -> None:
        preflight = alice.client.options("/api/v1/users/me", headers={"Origin": origin, **PREFLIGHT})
        answer = alice.get("/api/v1/users/me", headers={"Origin": origin})
        assert cors_headers(preflight) == cors_headers(answer) == set()
        assert answer.headers["Vary"] == "Origin"

    def test_answers_may_be_read_with_their_headers(self, alice: Person) -> None:
        answer = alice.get("/api/v1/recordings", headers={"Origin": PAGE})
        assert answer.headers["Access-Control-Allow-Origin"] == PAGE
        exposed = names(answer.headers["Access-Control-Expose-Headers"])
        named = {
            name
            for name, _ in answer.headers
            if name in {"ETag", "Link"} or "RateLimit" in name or name.startswith("X-Re")
        }
        assert len(named) == 11
        assert named | {"Retry-After", "Content-Disposition", "Idempotency-Replayed"} <= exposed

    def test_an_answer_without_a_page_still_varies(self, alice: Person) -> None:
        answer = alice.get("/api/v1/users/me")
        assert answer.headers["Vary"] == "Origin"
        assert cors_headers(answer) == set()

    def test_failures_may_be_read_too(self, alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
        from speakr.api import users as server

        def explode(_user_id: int) -> None:
            raise RuntimeError("boom")

        monkeypatch.setattr(server.users, "get", explode)
        origin = {"Origin": PAGE}
        alice.get("/api/v1/stats")
        answers = {
            401: alice.client.get("/api/v1/stats", headers=origin),
            404: alice.get("/api/v1/nothing", headers=origin),
            405: alice.put("/api/v1/recordings", headers=origin),
            429: alice.get("/api/v1/stats", headers=origin),
            500: alice.get("/api/v1/users/me", headers=origin),
        }
        for status, answer in answers.items():
            assert answer.status_code == status
            assert answer.headers["Access-Control-Allow-Origin"] == PAGE, status
            assert answer.headers["Vary"] == "Origin", status

    def test_options_that_is_no_preflight_is_answered_as_ever(self, app: Flask) -> None:
        answer = app.test_client().options("/api/v1/recordings", headers={"Origin": PAGE})
        assert answer.status_code == 200
        assert "GET" in answer.headers["Allow"]


class TestEveryPage:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return replace(settings, cors_origins="*")

    @pytest.mark.parametrize("origin", [STRANGER, "null"])
    def test_any_page_may_call_but_never_with_cookies(self, alice: Person, origin: str) -> None:
        for answer in (
            alice.get("/api/v1/users/me", headers={"Origin": origin}),
            alice.client.options("/api/v1/users/me", headers={"Origin": origin, **PREFLIGHT}),
        ):
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
            assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(
    "wrong", ["app.example.org", "https://app.example.org/", "https://App.example.org", f"{PAGE},https://a b"]
)
def test_what_can_be_no_origin_is_refused_at_the_start(wrong: str) -> None:
    with pytest.raises(SettingsError, match="SPEAKR_CORS_ORIGINS"):
        Settings.from_env({"SPEAKR_SECRET_KEY": SECRET, "SPEAKR_CORS_ORIGINS": wrong})
