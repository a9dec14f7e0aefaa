"""Every failure has the same shape, whatever raised it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask import Flask

from speakr.api import errors
from speakr.domain import errors as domain_errors
from speakr.web.access import undeclared
from speakr.web.failures import Failure, status_of
from tests.conftest import Person


def assert_shape(answer, status: int, code: str) -> None:
    assert answer.status_code == status, answer.data
    assert answer.mimetype == "application/json"
    assert answer.json["code"] == code
    assert isinstance(answer.json["error"], str)
    assert answer.json["request_id"] == answer.headers["X-Request-ID"]


def test_unrouted_paths(alice: Person) -> None:
    for path in ("/", "/nothing", "/api/v1/nothing", "/api/v1/recordings/1/nothing", "/api/%00"):
        assert_shape(alice.get(path), 404, "not_found")


def test_what_an_error_adds_leaves_the_shape_alone(app: Flask) -> None:
    with app.test_request_context():
        failure = Failure(
            status=409,
            code="taken",
            message="It is taken.",
            extra={"status": "x", "code": "y", "most": 3},
        )
        body = errors.render(failure).json
    assert body == {"error": "It is taken.", "code": "taken", "request_id": "", "status": "x", "most": 3}


def test_wrong_methods_name_the_right_ones(alice: Person) -> None:
    answer = alice.put("/api/v1/recordings")
    assert_shape(answer, 405, "method_not_allowed")
    assert "GET" in answer.headers["Allow"]


def test_a_body_over_the_limit(alice: Person) -> None:
    answer = alice.patch(
        "/api/v1/recordings/1", data=b"x" * (9 * 1024 * 1024), content_type="application/json"
    )
    assert_shape(answer, 413, "too_large")


def test_an_unexpected_exception_leaks_nothing(app: Flask, alice: Person, monkeypatch, caplog) -> None:
    from speakr.api import users as server

    def explode(*_args: object) -> None:
        raise RuntimeError("/var/secret/path")

    monkeypatch.setattr(server.stats, "for_user", explode)
    answer = alice.get("/api/v1/stats")
    assert_shape(answer, 500, "internal_error")
    assert "secret" not in answer.get_data(as_text=True)


def test_request_ids_are_echoed_if_sane(alice: Person) -> None:
    assert alice.get("/healthz", headers={"X-Request-ID": "abc-1.2_3"}).headers["X-Request-ID"] == "abc-1.2_3"
    for bad in ("a b", "x" * 65, "<script>", "ü"):
        assert alice.get("/healthz", headers={"X-Request-ID": bad}).headers["X-Request-ID"] != bad
    assert float(alice.get("/healthz").headers["X-Process-Time-Ms"]) >= 0


def test_every_domain_error_has_a_status() -> None:
    def every(kind: type) -> list[type]:
        return [kind, *(found for child in kind.__subclasses__() for found in every(child))]

    for kind in every(domain_errors.SpeakrError):
        made = kind.__new__(kind)
        made.slug = "x"
        assert 400 <= status_of(made) < 600


def test_every_route_says_who_may_use_it(app: Flask) -> None:
    assert undeclared(app) == []


@pytest.mark.parametrize("value", ["x" * 100_000, "a\x01b"])
def test_odd_headers(alice: Person, value: str) -> None:
    assert alice.get("/api/v1/recordings", headers={"Accept": value}).status_code == 200


class TestRateLimits:
    @pytest.fixture
    def settings(self, settings):
        return replace(settings, rate_limits_enabled=True)

    def test_a_refused_request_has_retry_after(self, alice: Person, bob: Person) -> None:
        answers = [alice.get("/api/v1/stats") for _ in range(61)]
        assert {answer.status_code for answer in answers[:60]} == {200}
        assert answers[0].headers["X-RateLimit-Limit"] == "60"
        assert int(answers[0].headers["X-RateLimit-Remaining"]) == 59
        assert_shape(answers[60], 429, "rate_limited")
        assert 1 <= int(answers[60].headers["Retry-After"]) <= 60
        assert bob.get("/api/v1/stats").status_code == 200
        assert alice.get("/api/v1/recordings").status_code == 200

    def test_guessing_passwords_is_limited_by_address(self, alice: Person) -> None:
        answers = [
            alice.client.post("/api/tokens", auth=("alice", f"guess {n}")).status_code for n in range(6)
        ]
        assert answers == [401] * 5 + [429]

    def test_health_is_never_limited(self, alice: Person) -> None:
        assert {alice.get("/healthz").status_code for _ in range(150)} == {200}


class TestWithoutRedis:
    @pytest.fixture
    def settings(self, settings, tmp_path):
        return replace(settings, rate_limits_enabled=True, redis_url=f"unix://{tmp_path}/nobody.sock")

    def test_reading_goes_on_and_counts_by_itself(self, alice: Person) -> None:
        assert {alice.get("/api/v1/stats").status_code for _ in range(60)} == {200}
        assert alice.get("/api/v1/stats").status_code == 429
