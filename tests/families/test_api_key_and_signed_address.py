"""`X-API-Key`, signed addresses, and calls without a credential."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from speakr.db import unit_of_work
from speakr.domain.permissions import Scope
from speakr.models import User
from speakr.services.accounts import signed_urls, users
from speakr.services.accounts.signed_urls import sign_url
from speakr.settings import Settings
from tests.conftest import Person

HOUR = timedelta(hours=1)


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json["code"]


def disable(user_id: int) -> None:
    with unit_of_work() as session:
        session.get_one(User, user_id).is_active = False


# -- X-API-Key


def test_an_api_key_is_an_api_token(client: FlaskClient, alice: Person) -> None:
    assert client.get("/logins/me", headers={"X-API-Key": alice.token}).json["user"] == "alice"
    assert code(client.get("/logins/me", headers={"X-API-Key": "wrong"})) == (401, "invalid_token")
    assert code(client.get("/logins/me", headers={"X-API-Token": alice.token})) == (401, "not_authenticated")


def test_wrong_keys_are_counted_and_lock_no_good_one_out(client: FlaskClient, alice: Person) -> None:
    seen = [client.get("/logins/me", headers={"X-API-Key": str(n)}).status_code for n in range(32)]
    assert seen == [401] * 30 + [429] * 2
    assert client.get("/logins/me", headers={"X-API-Key": alice.token}).status_code == 200


# -- signed addresses


def test_a_signed_address_opens_one_thing_for_its_user(client: FlaskClient, carol: int) -> None:
    url = sign_url("/logins/things/7", user_id=carol, lifetime=HOUR, query={"format": "a b&c"})
    assert client.get(url).json == {"user": "carol", "thing": 7, "scopes": [Scope.READ]}
    assert client.head(url).status_code == 200
    written = sign_url("/logins/things/7", user_id=carol, lifetime=HOUR, method="POST")
    assert client.post(written).json["scopes"] == [Scope.WRITE]


def test_an_administrators_link_has_no_admin_power(client: FlaskClient) -> None:
    with unit_of_work():
        root = users.create(username="root", is_admin=True).id
    shown = client.get(sign_url("/logins/me", user_id=root, lifetime=HOUR)).json
    assert shown == {"user": "root", "scopes": ["read"], "admin": False}


@pytest.mark.on_sqlite
@pytest.mark.parametrize(
    "change",
    [
        ("/things/7", "/things/8"),
        ("format=pdf", "format=doc"),
        ("format=pdf&", ""),
        ("?", "?more=1&"),
        ("?", "?format=doc&"),
        ("user=", "user=1"),
        ("user=", "x="),
        ("expires=", "expires=9"),
        ("signature=", "signature=0"),
        ("signature=", "signature=%C3%A9"),
        ("signature=", "signature=%ED%A0%80"),
    ],
)
def test_a_changed_link_opens_nothing(client: FlaskClient, carol: int, change: tuple[str, str]) -> None:
    url = sign_url("/logins/things/7", user_id=carol, lifetime=HOUR, query={"format": "pdf"})
    assert client.get(url).status_code == 200
    changed = url.replace(*change, 1)
    assert changed != url
    assert code(client.get(changed)) == (401, "invalid_token")


def test_a_link_for_reading_does_not_write(client: FlaskClient, carol: int) -> None:
    url = sign_url("/logins/things/7", user_id=carol, lifetime=HOUR)
    assert code(client.post(url)) == (401, "invalid_token")


def test_a_link_ends_with_its_time_and_with_its_user(
    client: FlaskClient, carol: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = sign_url("/logins/things/7", user_id=carol, lifetime=HOUR)
    with monkeypatch.context() as patch:
        later = signed_urls.now() + HOUR
        patch.setattr(signed_urls, "now", lambda: later)
        assert code(client.get(url)) == (401, "expired_token")
    disable(carol)
    assert code(client.get(url)) == (401, "invalid_token")


def test_a_link_cannot_be_signed_for_ever(client: FlaskClient, carol: int) -> None:
    for lifetime in (timedelta(0), timedelta(days=8)):
        with pytest.raises(ValueError, match="seven days"):
            sign_url("/x", user_id=carol, lifetime=lifetime)
    with pytest.raises(ValueError, match="name that signatures use"):
        sign_url("/x", user_id=carol, lifetime=HOUR, query={"user": "2"})


# -- no credential at all


def test_without_the_setting_a_call_without_credential_is_refused(client: FlaskClient) -> None:
    assert code(client.get("/logins/me")) == (401, "not_authenticated")


class TestFixedOwner:
    @pytest.fixture
    def settings(self, settings: Settings) -> Iterator[Settings]:
        return replace(settings, unauthenticated_user="carol", public_url="https://speakr.example.org")

    @pytest.mark.parametrize(
        "host", ["speakr.example.org", "localhost:8899", "192.0.2.7:80", "[::1]", "speakr"]
    )
    def test_calls_without_credential_act_as_the_named_user(self, client: FlaskClient, host: str) -> None:
        shown = client.get("/logins/me", headers={"Host": host}).json
        assert (shown["user"], shown["admin"]) == ("carol", False)
        assert Scope.ADMIN not in shown["scopes"]

    def test_a_wrong_credential_is_still_refused(self, client: FlaskClient) -> None:
        assert code(client.get("/logins/me", headers={"X-API-Key": "wrong"})) == (401, "invalid_token")

    def test_the_native_api_still_asks_for_a_token(self, client: FlaskClient) -> None:
        assert code(client.get("/api/v1/users/me")) == (401, "not_authenticated")

    def test_a_disabled_user_answers_for_nothing(self, client: FlaskClient, carol: int) -> None:
        disable(carol)
        assert code(client.get("/logins/me")) == (401, "not_authenticated")

    @pytest.mark.parametrize(
        "headers",
        [
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Referer": "https://evil.example/page"},
            {"Host": "rebound.evil.example", "Origin": "http://rebound.evil.example"},
            {"Host": "rebound.evil.example"},
        ],
    )
    def test_pages_of_other_origins_are_refused(self, client: FlaskClient, headers: dict[str, str]) -> None:
        for method in ("GET", "POST"):
            answer = client.open("/logins/me", method=method, headers=headers)
            assert code(answer) == (403, "csrf_failed")
