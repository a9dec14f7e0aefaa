"""Where deliveries may go is decided when they are sent, whatever was true when the address was saved."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from speakr.domain.deliveries import DeliveryStatus
from tests.webhooks.conftest import AddWebhook, Emit, MakeProcess
from tests.webhooks.dispatchers import ThreadedDispatcher
from tests.webhooks.receiver import Receiver
from tests.webhooks.states import settled, webhook

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.mark.parametrize("tuned", [{"webhook_allowed_hosts": ""}], indirect=True)
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1.2.3"])
def test_an_address_that_became_closed_is_refused_for_good(
    host: str, dispatcher: ThreadedDispatcher, receiver: Receiver, add_webhook: AddWebhook, emit: Emit
) -> None:
    hook = add_webhook(receiver.url("/hook", host=host))
    emit()
    dispatcher.start()
    row = settled(hook)
    assert (row.status, row.attempt_count, row.response_status) == (DeliveryStatus.PERMANENT_FAILURE, 1, None)
    assert row.error_message is not None
    assert row.error_message.startswith("Address: ")
    assert "WEBHOOK_INTRANET_HOST_ALLOWLIST" in row.error_message
    assert receiver.requests() == []
    assert webhook(hook).consecutive_failures == 1


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/latest/meta-data", "http://[::ffff:127.0.0.1]/", "gopher://x"]
)
def test_what_is_never_allowed_is_refused_for_good(
    url: str, dispatcher: ThreadedDispatcher, add_webhook: AddWebhook, emit: Emit
) -> None:
    hook = add_webhook(url)
    emit()
    dispatcher.start()
    row = settled(hook)
    assert (row.status, row.response_status) == (DeliveryStatus.PERMANENT_FAILURE, None)
    assert (row.error_message or "").startswith("Address: ")


@pytest.fixture
def tls_receiver(self_signed: Path) -> Iterator[Receiver]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed)
    with Receiver(tls=context) as made:
        yield made


def test_certificates_are_checked(
    dispatcher: ThreadedDispatcher, tls_receiver: Receiver, add_webhook: AddWebhook, emit: Emit
) -> None:
    hook = add_webhook(tls_receiver.url("/hook"))
    emit()
    dispatcher.start()
    row = settled(hook)
    assert row.status is DeliveryStatus.FAILED
    assert row.error_message == "TLS: the certificate was not accepted (self-signed certificate)."
    assert tls_receiver.requests() == []


def test_an_authority_that_the_operator_names_is_trusted(
    make_process: MakeProcess, tls_receiver: Receiver, self_signed: Path, add_webhook: AddWebhook, emit: Emit
) -> None:
    hook = add_webhook(tls_receiver.url("/hook"))
    emit()
    make_process(SSL_CERT_FILE=str(self_signed)).start()
    assert settled(hook).status is DeliveryStatus.SUCCESS


@pytest.mark.parametrize("tuned", [{"webhook_timeout_seconds": 1.0}], indirect=True)
def test_a_server_that_speaks_no_tls_is_named_so(
    dispatcher: ThreadedDispatcher, receiver: Receiver, add_webhook: AddWebhook, emit: Emit
) -> None:
    silent = add_webhook(receiver.url("/hook").replace("http:", "https:"))
    emit()
    dispatcher.start()
    row = settled(silent)
    assert row.status is DeliveryStatus.FAILED
    # The receiver waits for the end of a head that never comes, so the handshake does not end.
    assert row.error_message == "TLS timeout: the handshake did not end within 1 s."
