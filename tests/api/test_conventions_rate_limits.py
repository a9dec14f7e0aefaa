"""Requests per minute: what counts, per caller, reported in headers, with and without Redis."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask

from speakr.domain.permissions import Scope
from speakr.settings import Settings, SettingsError
from speakr.web import counting
from speakr.web.counting import Counter
from tests.conftest import SECRET, Person
from tests.servers import RedisServer, redis_server

pytestmark = pytest.mark.on_sqlite


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, rate_limits_enabled=True)


def guess(app: Flask, presented: str = "wrong", address: str = "198.51.100.7", **headers: str) -> int:
    return (
        app.test_client()
        .get(
            "/api/v1/users/me",
            headers={"Authorization": f"Bearer {presented}", **headers},
            environ_base={"REMOTE_ADDR": address},
        )
        .status_code
    )


def test_every_counted_response_reports_the_remaining_requests(alice: Person) -> None:
    before = time.time()
    headers = alice.get("/api/v1/users/me").headers
    reset = int(headers["RateLimit-Reset"])
    assert 1 <= reset <= 60
    assert headers["RateLimit-Policy"] == '"get";q=100;w=60'
    assert headers["RateLimit"] == f'"get";r=99;t={reset}'
    assert (headers["RateLimit-Limit"], headers["RateLimit-Remaining"]) == ("100", "99")
    assert (headers["X-RateLimit-Limit"], headers["X-RateLimit-Remaining"]) == ("100", "99")
    assert before < int(headers["X-RateLimit-Reset"]) <= time.time() + 61
    assert "Retry-After" not in headers


def test_failures_are_counted_and_reported_too(alice: Person, make_person) -> None:
    assert alice.get("/api/v1/recordings/999").headers["RateLimit-Remaining"] == "99"
    assert alice.patch("/api/v1/recordings/1", json={}).headers["RateLimit-Remaining"] == "29"
    reader = make_person("reader", scopes=frozenset({Scope.READ}))
    refused = [reader.delete("/api/v1/recordings/1") for _ in range(31)]
    assert refused[0].status_code == 403
    assert refused[0].headers["RateLimit-Remaining"] == "29"
    assert refused[30].status_code == 429


def test_a_request_over_the_limit_has_retry_after(alice: Person) -> None:
    answers = [alice.get("/api/v1/stats") for _ in range(61)]
    assert {answer.status_code for answer in answers[:60]} == {200}
    last = answers[60]
    assert (last.status_code, last.json["code"]) == (429, "rate_limited")
    assert last.headers["Retry-After"] == last.headers["RateLimit-Reset"]
    assert 1 <= int(last.headers["Retry-After"]) <= 60
    assert last.headers["RateLimit"] == f'"stats";r=0;t={last.headers["Retry-After"]}'


def test_asking_for_the_status_and_stats_leaves_reading_alone(alice: Person, upload) -> None:
    made = upload(alice).json["id"]
    for _ in range(120):
        assert alice.get(f"/api/v1/recordings/{made}/status").status_code == 200
    alice.get("/api/v1/stats")
    assert alice.get(f"/api/v1/recordings/{made}/status").headers["RateLimit-Policy"] == '"status";q=300;w=60'
    assert alice.get("/api/v1/recordings").headers["RateLimit-Remaining"] == "99"


def test_uploads_are_processing(alice: Person, upload) -> None:
    assert upload(alice).headers["RateLimit-Policy"] == '"processing";q=10;w=60'


def test_each_token_has_its_own_count(alice: Person, bob: Person) -> None:
    alice.get("/api/v1/stats")
    assert bob.get("/api/v1/stats").headers["RateLimit-Remaining"] == "59"
    second = alice.post("/api/v1/tokens", json={}).json["token"]
    answer = alice.client.get("/api/v1/stats", headers={"X-API-Token": second})
    assert answer.headers["RateLimit-Remaining"] == "59"


def test_what_needs_no_token_is_not_counted(app: Flask) -> None:
    answer = app.test_client().get("/healthz")
    assert not [name for name, _ in answer.headers if "ratelimit" in name.lower()]


# -- wrong tokens


def test_wrong_tokens_are_counted_by_address_and_lock_no_good_one_out(app: Flask, alice: Person) -> None:
    guesses = [guess(app, f"guess {number}") for number in range(40)]
    assert guesses == [401] * 30 + [429] * 10
    assert guess(app, alice.token) == 200
    assert guess(app, "wrong", "198.51.100.8") == 401


def test_one_ipv6_network_is_one_caller(app: Flask) -> None:
    guesses = [guess(app, address=f"2001:db8:1:2::{number:x}") for number in range(31)]
    assert guesses[30] == 429
    assert guess(app, address="2001:db8:1:3::1") == 401


def test_a_forged_address_does_not_help(app: Flask) -> None:
    guesses = [guess(app, **{"X-Forwarded-For": f"203.0.113.{number}"}) for number in range(31)]
    assert guesses[30] == 429


def test_no_token_at_all_is_no_guess(app: Flask) -> None:
    client = app.test_client()
    assert {client.get("/api/v1/users/me").status_code for _ in range(40)} == {401}


def test_a_password_counts_for_its_user_and_not_for_the_address(app: Flask, alice: Person) -> None:
    from speakr.db import unit_of_work
    from speakr.services.accounts import users

    with unit_of_work():
        users.create(username="carol", password="correct horse battery")
    answer = app.test_client().post("/api/v1/tokens", auth=("carol", "correct horse battery"))
    assert answer.status_code == 201
    assert answer.headers["RateLimit-Policy"] == '"write";q=30;w=60'


# -- settings


class TestOtherLimits:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return replace(settings, rate_limit_get=2)

    def test_a_class_has_the_limit_that_is_set(self, alice: Person) -> None:
        assert [alice.get("/api/v1/users/me").status_code for _ in range(3)] == [200, 200, 429]
        assert alice.get("/api/v1/stats").status_code == 200


def test_limits_are_read_from_the_environment() -> None:
    environ = {"SPEAKR_SECRET_KEY": SECRET, "SPEAKR_RATE_LIMIT_GET": "250"}
    assert Settings.from_env(environ).rate_limit_get == 250
    with pytest.raises(SettingsError, match="SPEAKR_RATE_LIMIT_GET must be at least 1"):
        Settings.from_env(environ | {"SPEAKR_RATE_LIMIT_GET": "0"})


# -- Redis


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A Redis that a test may kill."""
    with redis_server() as server:
        yield server


def test_one_question_to_redis_per_request(alice: Person, redis_connection) -> None:
    alice.get("/api/v1/users/me")  # the script is cached from now on
    with redis_connection.monitor() as monitor:
        for _ in range(3):
            assert alice.get("/api/v1/users/me").status_code == 200
        redis_connection.echo("the end")
        asked = []
        for command in monitor.listen():
            if command["command"].startswith("ECHO"):
                break
            if command["client_type"] != "lua":
                asked.append(command["command"].split()[0])
    greeting = {"HELLO", "CLIENT"}  # the connection of this test itself
    assert [name for name in asked if name not in greeting] == ["EVALSHA"] * 3


def test_a_counter_without_an_end_gets_one(redis_process, redis_connection) -> None:
    redis_connection.set("a counter", 7)
    window = Counter(redis_process.url).hit("a counter")[0]
    assert (window.count, window.seconds_left) == (8, 60)
    assert 0 < redis_connection.ttl("a counter") <= 60


def test_many_at_once_are_all_counted(redis_process, redis_connection) -> None:
    counter = Counter(redis_process.url)
    threads = [threading.Thread(target=lambda: [counter.hit("crowd") for _ in range(20)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.hit("crowd")[0].count == 161


def test_counts_here_start_anew_after_a_minute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr(counting.time, "monotonic", lambda: clock[0])
    counter = Counter(f"unix://{tmp_path}/nobody.sock")
    assert [counter.hit("x")[0].count for _ in range(3)] == [1, 2, 3]
    clock[0] += 59
    assert counter.hit("x")[0].seconds_left == 1
    clock[0] += 2
    assert counter.hit("x")[0].count == 1


def test_redis_that_is_away_is_asked_every_few_seconds_only(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr(counting.time, "monotonic", lambda: clock[0])
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # accepts connections and never answers
        deaf.settimeout(0.01)
        counter = Counter(f"redis://127.0.0.1:{deaf.getsockname()[1]}/0")

        def calls() -> int:
            taken = 0
            while True:
                try:
                    deaf.accept()[0].close()
                except TimeoutError:
                    return taken
                taken += 1

        counter.hit("x")
        assert calls() == 1
        for _ in range(50):
            counter.hit("x")
        assert calls() == 0
        clock[0] += 6
        counter.hit("x")
        assert calls() == 1
        assert counter.hit("x")[0].count == 53


def test_counting_together_goes_on_once_redis_is_back(own_redis, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr(counting.time, "monotonic", lambda: clock[0])
    counter, other = Counter(own_redis.url), Counter(own_redis.url)
    counter.hit("x")
    own_redis.kill()
    assert counter.hit("x")[0].count == 1
    own_redis.start()
    own_redis.flush()
    assert counter.hit("x")[0].count == 2
    clock[0] += 6
    assert other.hit("x")[0].count == 1
    assert counter.hit("x")[0].count == 2


def test_a_restart_of_redis_is_not_noticed(own_redis) -> None:
    """The pooled connection is dead and the script is gone; both recover within the request."""
    counter = Counter(own_redis.url)
    counter.hit("x")
    own_redis.kill()
    own_redis.start()
    own_redis.flush()
    other = Counter(own_redis.url)
    assert other.hit("x")[0].count == 1
    assert counter.hit("x")[0].count == 2
