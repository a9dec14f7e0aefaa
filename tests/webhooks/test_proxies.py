"""Deliveries through a proxy: addresses are still checked, and its failures do not count against receivers."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask

from speakr.db import unit_of_work
from speakr.domain.clock import now
from speakr.domain.deliveries import DeliveryStatus
from speakr.domain.permissions import Actor
from speakr.egress import client
from speakr.egress.guard import name_not_resolved
from speakr.environment import SettingsError
from speakr.models import Webhook
from speakr.services.webhooks import webhooks
from speakr.settings import Settings
from tests.webhooks.conftest import AddWebhook, Emit
from tests.webhooks.dispatchers import ThreadedDispatcher, until
from tests.webhooks.proxies import HttpProxy, Proxy, SocksProxy
from tests.webhooks.receiver import Receiver, reply
from tests.webhooks.states import deliveries, settled, webhook

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

PUBLIC = "93.184.216.34"
NAMES = {"public.example": [PUBLIC], "inside.example": ["10.0.0.7"], "mixed.example": [PUBLIC, "127.0.0.1"]}


@pytest.fixture(params=[HttpProxy, SocksProxy], ids=["http", "socks5"])
def proxy(request: pytest.FixtureRequest) -> Iterator[Proxy]:
    with request.param() as made:
        yield made


@pytest.fixture
def settings(settings: Settings, proxy: Proxy) -> Settings:
    return replace(
        settings, webhook_allowed_hosts="", webhook_timeout_seconds=3.0, webhook_proxy_url=proxy.url
    )


@pytest.fixture
def dispatcher(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadedDispatcher]:
    def lookup(host: str, _port: int) -> list[str]:
        if host not in NAMES:
            raise name_not_resolved(host)
        return NAMES[host]

    monkeypatch.setattr(
        client.GuardedResolver.__init__, "__kwdefaults__", {"lookup": lookup, "timeout_seconds": 1.0}
    )
    made = ThreadedDispatcher(app)
    made.start()
    yield made
    made.stop()


def attempted(hook: int) -> None:
    until(lambda: deliveries(hook) and deliveries(hook)[0].duration_ms is not None)


def test_what_is_public_goes_through_the_proxy(
    dispatcher: ThreadedDispatcher, proxy: Proxy, receiver: Receiver, add_webhook: AddWebhook, emit: Emit
) -> None:
    hook = add_webhook(f"http://public.example:{receiver.port}/hook")
    emit()
    assert settled(hook).status is DeliveryStatus.SUCCESS
    (request,) = receiver.requests("/hook")
    assert request.headers["host"] == f"public.example:{receiver.port}"
    asked = {
        "http": f"POST http://public.example:{receiver.port}/hook",
        "socks5": f"{PUBLIC}:{receiver.port}",  # the address that was judged, not a name to look up again
    }
    assert proxy.asked == [asked[proxy.scheme]]
    assert "proxy-authorization" not in request.headers


@pytest.mark.parametrize(
    "url",
    [
        "http://inside.example/",
        "http://mixed.example/",
        "http://127.0.0.1:1024/",
        "http://[::1]/",
        "http://10.1.2.3/",
    ],
)
def test_what_is_not_public_never_reaches_the_proxy(
    url: str, dispatcher: ThreadedDispatcher, proxy: Proxy, add_webhook: AddWebhook, emit: Emit
) -> None:
    hook = add_webhook(url)
    emit()
    row = settled(hook)
    assert row.status is DeliveryStatus.PERMANENT_FAILURE
    assert (row.error_message or "").startswith("Address: ")
    assert proxy.asked == []


def test_a_name_without_an_address_is_named_so(
    dispatcher: ThreadedDispatcher, proxy: Proxy, add_webhook: AddWebhook, emit: Emit
) -> None:
    hook = add_webhook("http://nowhere.example/")
    emit()
    assert (settled(hook).error_message or "").startswith("Address: ")
    assert proxy.asked == []


def _https_if_tunnelled(proxy: Proxy) -> str:
    """HTTP proxies get a CONNECT request only for TLS."""
    return "https" if proxy.scheme == "http" else "http"


FAULTS = {"http": ["407 Authenticate", "500 Broken", ""], "socks5": ["refuse", "1", ""]}
MISSES = {"http": ["502 Bad Gateway", "504 Timeout", "403 No"], "socks5": ["4", "5", "2"]}


@pytest.mark.parametrize("number", range(3))
def test_a_proxy_failure_spends_no_attempt_and_pauses_no_webhook(
    number: int, dispatcher: ThreadedDispatcher, proxy: Proxy, add_webhook: AddWebhook, emit: Emit
) -> None:
    proxy.answer = FAULTS[proxy.scheme][number]
    hook = add_webhook(f"{_https_if_tunnelled(proxy)}://public.example/hook")
    emit()
    attempted(hook)
    (row,) = deliveries(hook)
    assert (row.status, row.attempt_count, row.claimed_until) == (DeliveryStatus.PENDING, 0, None)
    assert (row.error_message or "").startswith("proxy: The proxy that webhooks are sent through ")
    assert row.next_attempt_at is not None
    assert 25 < (row.next_attempt_at - now()).total_seconds() <= 36
    silent_until = webhook(hook).silent_until
    assert silent_until is not None
    assert webhook(hook).consecutive_failures == 0


@pytest.mark.parametrize("number", range(3))
def test_a_receiver_that_the_proxy_cannot_reach_has_failed(
    number: int, dispatcher: ThreadedDispatcher, proxy: Proxy, add_webhook: AddWebhook, emit: Emit
) -> None:
    proxy.answer = MISSES[proxy.scheme][number]
    hook = add_webhook(f"{_https_if_tunnelled(proxy)}://public.example/hook")
    emit()
    row = settled(hook)
    assert (row.status, row.attempt_count) == (DeliveryStatus.FAILED, 1)
    assert (row.error_message or "").startswith("connect: ")


def test_a_proxy_that_keeps_knocking_spends_an_attempt(
    dispatcher: ThreadedDispatcher, proxy: Proxy, add_webhook: AddWebhook, emit: Emit
) -> None:
    proxy.answer = "hang"
    hook = add_webhook(f"{_https_if_tunnelled(proxy)}://public.example/hook")
    emit()
    row = settled(hook)
    assert (row.status, row.attempt_count) == (DeliveryStatus.FAILED, 1)


class TestUnreachableProxy:
    @pytest.fixture
    def settings(self, settings: Settings, proxy: Proxy) -> Settings:
        return replace(settings, webhook_proxy_url=f"{proxy.scheme}://127.0.0.1:1")

    def test_deliveries_wait_and_a_test_says_why(
        self, dispatcher: ThreadedDispatcher, add_webhook: AddWebhook, emit: Emit, owner: Actor
    ) -> None:
        hook = add_webhook("https://public.example/hook")
        emit()
        attempted(hook)
        assert deliveries(hook)[0].attempt_count == 0
        with unit_of_work() as session:
            session.get_one(Webhook, hook).silent_until = None
        with unit_of_work():
            webhooks.send_test(owner, hook)
        until(lambda: deliveries(hook)[1].attempt_count)
        row = deliveries(hook)[1]
        assert row.status is DeliveryStatus.PERMANENT_FAILURE
        assert row.error_message == "proxy: The proxy that webhooks are sent through could not be reached."


class TestCredentials:
    @pytest.fixture
    def settings(self, settings: Settings, proxy: Proxy) -> Settings:
        return replace(settings, webhook_proxy_url=proxy.url.replace("//", "//user:p%40ss@"))

    def test_the_proxy_gets_them_and_the_receiver_does_not(
        self,
        dispatcher: ThreadedDispatcher,
        proxy: Proxy,
        receiver: Receiver,
        add_webhook: AddWebhook,
        emit: Emit,
    ) -> None:
        hook = add_webhook(f"http://public.example:{receiver.port}/hook")
        emit()
        assert settled(hook).status is DeliveryStatus.SUCCESS
        if proxy.scheme == "socks5":
            assert proxy.credentials == [b"user:p@ss"]
            assert "proxy-authorization" not in receiver.requests()[0].headers
        else:
            assert "Proxy-Authorization: Basic dXNlcjpwQHNz" in proxy.heads[0]


class TestEnvironment:
    @pytest.fixture
    def settings(self, settings: Settings, proxy: Proxy) -> Settings:
        return replace(settings, webhook_proxy_url="", webhook_allowed_hosts="127.0.0.1")

    def test_a_proxy_in_the_environment_is_not_used(
        self,
        monkeypatch: pytest.MonkeyPatch,
        dispatcher: ThreadedDispatcher,
        proxy: Proxy,
        receiver: Receiver,
        add_webhook: AddWebhook,
        emit: Emit,
    ) -> None:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        hook = add_webhook(receiver.url("/hook"))
        emit()
        assert settled(hook).status is DeliveryStatus.SUCCESS
        assert proxy.asked == []


def test_tls_is_checked_behind_the_proxy(
    dispatcher: ThreadedDispatcher, proxy: Proxy, self_signed: Path, add_webhook: AddWebhook, emit: Emit
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed)
    with Receiver(tls=context) as tls_receiver:
        hook = add_webhook(f"https://public.example:{tls_receiver.port}/hook")
        emit()
        row = settled(hook)
        assert tls_receiver.requests() == []
    assert row.status is DeliveryStatus.FAILED
    assert row.error_message == "TLS: the certificate was not accepted (self-signed certificate)."


@pytest.mark.parametrize(
    "url", ["ftp://proxy", "https://proxy:1", "http://", "http://p/path", "proxy:3128", "http://p:x"]
)
def test_what_is_no_proxy_is_refused_at_the_start(url: str, settings: Settings) -> None:
    with pytest.raises(SettingsError, match="WEBHOOK_PROXY_URL must look like"):
        replace(settings, webhook_proxy_url=url)


def test_the_answer_of_a_receiver_behind_the_proxy_counts(
    dispatcher: ThreadedDispatcher, proxy: Proxy, receiver: Receiver, add_webhook: AddWebhook, emit: Emit
) -> None:
    hook = add_webhook(f"http://public.example:{receiver.port}/hook")
    receiver.script("/hook", reply(500))
    emit()
    assert (settled(hook).status, settled(hook).response_status) == (DeliveryStatus.FAILED, 500)


class TestPlainHttp:
    """Without a tunnel the proxy answers in the receiver's place."""

    @pytest.fixture
    def proxy(self) -> Iterator[Proxy]:
        with HttpProxy() as made:
            yield made

    def test_a_proxy_that_wants_credentials_spends_no_attempt(
        self, dispatcher: ThreadedDispatcher, proxy: Proxy, add_webhook: AddWebhook, emit: Emit
    ) -> None:
        proxy.answer = "407 Authenticate"
        hook = add_webhook("http://public.example/hook")
        emit()
        attempted(hook)
        (row,) = deliveries(hook)
        assert (row.status, row.attempt_count) == (DeliveryStatus.PENDING, 0)
        assert row.error_message == "proxy: The proxy that webhooks are sent through answered 407."

    def test_a_proxy_that_cannot_reach_the_receiver_answers_for_it(
        self, dispatcher: ThreadedDispatcher, proxy: Proxy, add_webhook: AddWebhook, emit: Emit
    ) -> None:
        proxy.answer = "502 Bad Gateway"
        hook = add_webhook("http://public.example/hook")
        emit()
        row = settled(hook)
        assert (row.status, row.attempt_count, row.response_status) == (DeliveryStatus.FAILED, 1, 502)
