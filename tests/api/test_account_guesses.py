"""Guesses at one account from many addresses: limited, without locking out the owner or revealing who has an account."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
import redis as redis_package
from flask import Flask

from speakr.db import unit_of_work
from speakr.services.accounts import tokens, users
from speakr.settings import Settings
from speakr.web.account_guesses import MAX_GUESSES, MAX_TOGETHER, PAUSE_SECONDS, AccountGuesses
from speakr.web.counting import connect
from tests.servers import redis_server

pytestmark = pytest.mark.on_sqlite

PASSWORD = "correct horse battery"
WRONG = "wrong"
HOME = "203.0.113.7"
Guess = Callable[..., Any]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, rate_limits_enabled=True)


@pytest.fixture
def guess(app: Flask) -> Guess:
    """Try a password as a user, from an address of its own unless one is given."""
    with unit_of_work():
        users.create(username="carol", password=PASSWORD)
    number = iter(range(1, 250))

    def attempt(password: str = WRONG, address: str | None = None, username: str = "carol") -> Any:
        return app.test_client().post(
            "/api/v1/tokens",
            auth=(username, password),
            json={},
            environ_base={"REMOTE_ADDR": address or f"198.51.100.{next(number)}"},
        )

    return attempt


def test_guesses_from_many_addresses_are_refused_early(guess: Guess, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {guess().status_code for _ in range(MAX_GUESSES)} == {401}
    assert guess().status_code == 401  # the one of this minute
    checked: list[str] = []
    monkeypatch.setattr(users, "_fits", lambda _stored, password: checked.append(password))
    for password in ("wrong", PASSWORD):  # a refusal does not tell whether the password is right
        refused = guess(password)
        assert (refused.status_code, refused.json["code"]) == (429, "rate_limited")
        assert 0 < int(refused.headers["Retry-After"]) <= PAUSE_SECONDS
    assert checked == []


def test_a_refusal_does_not_tell_who_has_an_account(guess: Guess) -> None:
    answers = []
    for name in ("carol", "no such user"):
        for _ in range(MAX_GUESSES + 1):
            guess(username=name)
        answers.append(guess(username=name))
    seen = [(each.status_code, each.json["code"], each.json["error"][:40]) for each in answers]
    assert seen[0] == seen[1]
    assert seen[0][0] == 429


@pytest.mark.parametrize("spelling", ["CAROL", " carol "])
def test_another_spelling_of_the_name_gives_no_further_guesses(guess: Guess, spelling: str) -> None:
    for _ in range(MAX_GUESSES + 1):
        guess()
    assert guess(username=spelling).status_code == 429


def test_the_owner_is_not_locked_out_at_a_known_address(guess: Guess) -> None:
    assert guess(PASSWORD, HOME).status_code == 201
    for _ in range(MAX_GUESSES + 5):
        guess()
    assert guess().status_code == 429
    assert guess(PASSWORD, HOME).status_code == 201


def test_tokens_work_while_the_account_is_guessed_at(app: Flask, guess: Guess) -> None:
    user = users.find("carol")
    assert user is not None
    with unit_of_work():
        _, raw = tokens.create(user.id)
    for _ in range(MAX_GUESSES + 2):
        guess()
    answer = app.test_client().get("/api/v1/users/me", headers={"Authorization": f"Bearer {raw}"})
    assert answer.status_code == 200


def test_from_an_unknown_address_the_owner_gets_a_turn_each_minute(
    guess: Guess, redis_connection: redis_package.Redis
) -> None:
    for _ in range(MAX_GUESSES + 2):
        guess()
    assert guess(PASSWORD).status_code == 429
    (turn,) = redis_connection.keys("speakr:guesses:*:turn:*")
    assert 0 < redis_connection.pttl(turn) <= PAUSE_SECONDS * 1000
    redis_connection.delete(turn)  # a minute later
    assert guess(PASSWORD, HOME).status_code == 201
    assert guess(PASSWORD, HOME).status_code == 201


def test_the_owner_is_let_in_at_a_new_address_while_a_stranger_guesses(guess: Guess) -> None:
    for number in range(MAX_GUESSES + 20):
        guess(address=f"198.51.100.{number}")
    assert guess(address="198.51.100.250").status_code == 429
    assert guess(PASSWORD, HOME).status_code == 201


def test_unknown_networks_together_are_bounded(guess: Guess) -> None:
    for _ in range(MAX_GUESSES):
        guess()
    statuses = [guess(address=f"10.0.{number}.1").status_code for number in range(MAX_TOGETHER + 5)]
    assert statuses == [401] * MAX_TOGETHER + [429] * 5
    statuses = [guess(address=f"2001:db8:0:{number}::1", username="dave").status_code for number in range(12)]
    assert statuses == [401] * 12


def test_a_refused_try_does_not_count_against_the_address(guess: Guess) -> None:
    for _ in range(MAX_GUESSES):
        guess(username="dave")
    for _ in range(30):
        guess(address=HOME, username="dave")
    assert guess(PASSWORD, HOME).status_code == 201


def test_right_passwords_do_not_count(guess: Guess) -> None:
    assert {guess(PASSWORD).status_code for _ in range(MAX_GUESSES + 3)} == {201}


def test_guesses_at_once_count_before_they_are_checked(app: Flask, guess: Guess) -> None:
    addresses = [f"192.0.2.{number}" for number in range(1, 31)]

    def attempt(address: str) -> int:
        with app.app_context():
            status: int = guess("wrong", address).status_code
            return status

    with ThreadPoolExecutor(10) as pool:
        statuses = list(pool.map(attempt, addresses))
    assert statuses.count(401) == MAX_GUESSES + 1
    assert statuses.count(429) == 30 - MAX_GUESSES - 1


def test_names_are_not_stored(guess: Guess, redis_connection: redis_package.Redis) -> None:
    guess(username="my secret typed into the wrong field")
    assert not any(b"secret" in key for key in redis_connection.keys("*"))


def test_without_redis_no_guess_is_refused() -> None:
    with redis_server() as server:
        gone = server.url
    guesses = AccountGuesses(connect(gone))
    for _ in range(MAX_GUESSES + 2):
        guesses.admit("carol", HOME)
    guesses.succeeded("carol", HOME)
