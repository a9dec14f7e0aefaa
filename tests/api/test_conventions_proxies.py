"""Behind proxies: client addresses come only from proxies that the operator trusts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask import Flask

from speakr.settings import Settings, SettingsError
from tests.conftest import SECRET, Person

pytestmark = pytest.mark.on_sqlite

FORWARDED = {
    "X-Forwarded-For": "192.0.2.66, 203.0.113.5",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "notes.example.org",
    "X-Forwarded-Prefix": "/speakr",
}


def next_page(person: Person, headers: dict[str, str]) -> str:
    return person.get("/api/v1/recordings?per_page=1", headers=headers).headers["Link"]


def guesses_until_stopped(app: Flask, chain: str) -> int:
    """Return how many wrong tokens are accepted when each comes with another first address in the chain."""
    for number in range(100):
        answer = app.test_client().get(
            "/api/v1/users/me",
            headers={"X-API-Token": "wrong", "X-Forwarded-For": chain.format(number)},
        )
        if answer.status_code == 429:
            return number
    return 100


def test_by_default_forwarded_headers_change_nothing(alice: Person) -> None:
    plain, forged = next_page(alice, {}), next_page(alice, FORWARDED)
    assert forged == plain
    assert "<http://localhost/api/v1/recordings?" in forged


class TestOneProxy:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return replace(settings, trusted_proxy_count=1, rate_limits_enabled=True)

    def test_links_lead_through_the_proxy(self, alice: Person) -> None:
        assert "<https://notes.example.org/speakr/api/v1/recordings?" in next_page(alice, FORWARDED)

    def test_the_address_the_proxy_wrote_counts(self, app: Flask) -> None:
        assert guesses_until_stopped(app, "192.0.2.{}, 203.0.113.5") == 30
        assert guesses_until_stopped(app, "198.51.100.{}") == 100

    def test_metrics_are_refused_through_the_proxy(self, app: Flask) -> None:
        assert app.test_client().get("/metrics").status_code == 200
        for chain in ("203.0.113.5", "127.0.0.1"):
            assert app.test_client().get("/metrics", headers={"X-Forwarded-For": chain}).status_code == 404


class TestTwoProxies:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return replace(settings, trusted_proxy_count=2, rate_limits_enabled=True)

    def test_the_address_the_outer_one_wrote_counts(self, app: Flask) -> None:
        assert guesses_until_stopped(app, "192.0.2.{}, 203.0.113.5, 10.0.0.2") == 30

    def test_a_header_with_fewer_hops_is_not_trusted(self, app: Flask) -> None:
        assert guesses_until_stopped(app, "192.0.2.{}") == 30


class TestPublicUrl:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return replace(settings, trusted_proxy_count=1, public_url="https://here.example.org/x/")

    def test_the_configured_address_goes_before_any_header(self, alice: Person) -> None:
        assert "<https://here.example.org/x/api/v1/recordings?" in next_page(alice, FORWARDED)


def test_the_setting_is_a_number_of_proxies() -> None:
    with pytest.raises(SettingsError, match="SPEAKR_TRUSTED_PROXIES"):
        Settings.from_env({"SPEAKR_SECRET_KEY": SECRET, "SPEAKR_TRUSTED_PROXIES": "-1"})
