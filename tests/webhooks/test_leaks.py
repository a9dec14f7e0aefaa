"""Nothing of one request, of one owner or of this machine is carried over to another request."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from speakr.db import unit_of_work
from speakr.domain.deliveries import DeliveryStatus
from speakr.domain.events import EventType
from speakr.egress import client
from speakr.egress.guard import name_not_resolved
from speakr.models import Webhook
from speakr.services.accounts import users
from speakr.services.accounts.sealing import seal
from tests.webhooks.conftest import SECRET, AddWebhook, Emit
from tests.webhooks.dispatchers import ThreadedDispatcher, until
from tests.webhooks.receiver import Receiver, reply
from tests.webhooks.states import all_settled, deliveries, make_retries_due, settled

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

PUBLIC = "93.184.216.34"
ONE_LISTED = {"webhook_allowed_hosts": "127.0.0.1", "webhook_timeout_seconds": 1.0}


@pytest.mark.parametrize("tuned", [ONE_LISTED], indirect=True)
@pytest.mark.parametrize("status", [300, 301, 307], ids=lambda status: f"status {status}")
def test_a_redirect_to_what_is_closed_gets_no_connection(
    status: int,
    dispatcher: ThreadedDispatcher,
    receiver: Receiver,
    add_webhook: AddWebhook,
    emit: Emit,
) -> None:
    with Receiver() as canary:
        places = ["127.0.0.9", "localhost", "169.254.169.254", "[::1]"]
        hooks = [add_webhook(receiver.url(f"/{number}")) for number in range(len(places))]
        for number, place in enumerate(places):
            headers = {"Location": f"http://{place}:{canary.port}/", "Refresh": f"0; url=http://{place}/"}
            receiver.script(f"/{number}", reply(status, headers=headers))
        emit()
        dispatcher.start()
        until(all_settled)
        assert canary._admitted == 0
        assert {row.status for hook in hooks for row in deliveries(hook)} == {
            DeliveryStatus.PERMANENT_FAILURE
        }


@pytest.mark.parametrize("tuned", [ONE_LISTED], indirect=True)
@pytest.mark.parametrize(
    "second",
    [["127.0.0.9"], ["169.254.169.254"], [PUBLIC, "127.0.0.9"], ["::ffff:127.0.0.9"], ["::1"], ["0.0.0.0"]],  # noqa: S104 - an answer
)
def test_a_name_that_turns_inwards_between_two_attempts_gets_no_connection(
    second: list[str],
    dispatcher: ThreadedDispatcher,
    receiver: Receiver,
    add_webhook: AddWebhook,
    emit: Emit,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first answer is an address that may be called (here one that is listed), the next one is not."""
    answers = [["127.0.0.1"], second]

    def lookup(host: str, _port: int) -> list[str]:
        if host != "rebind.example":
            raise name_not_resolved(host)
        return answers.pop(0) if len(answers) > 1 else answers[0]

    defaults = {"lookup": lookup, "timeout_seconds": 1.0}
    monkeypatch.setattr(client.GuardedResolver.__init__, "__kwdefaults__", defaults)
    monkeypatch.setattr(client, "NAMES_ARE_KEPT_SECONDS", 0)
    with Receiver() as canary:
        hook = add_webhook(f"http://rebind.example:{canary.port}/hook")
        canary.script("/hook", reply(500, headers={"Connection": "close"}))
        emit()
        dispatcher.start()
        settled(hook)
        canary.hang_up()
        assert canary._admitted == 1
        make_retries_due(hook)
        until(all_settled)
        (row,) = deliveries(hook)
        assert row.status is DeliveryStatus.PERMANENT_FAILURE
        assert (row.error_message or "").startswith("Address: This address cannot be used")
        assert canary._admitted == 1


def test_cookies_and_what_lies_about_are_not_sent(
    dispatcher: ThreadedDispatcher,
    receiver: Receiver,
    add_webhook: AddWebhook,
    emit: Emit,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password hunter2\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    cookie = {
        "Set-Cookie": "session=1; Path=/",
        "WWW-Authenticate": 'Basic realm="x"',
        "Connection": "keep-alive",
    }
    add_webhook(receiver.url("/hook"))
    receiver.script(
        "/hook", reply(200, headers=cookie), reply(401, headers=cookie), reply(200, headers=cookie)
    )
    dispatcher.start()
    for count in range(1, 4):
        emit()
        receiver.wait_for(count)
        until(all_settled)
    for request in receiver.requests():
        assert set(request.headers) == {
            "host", "accept", "accept-encoding", "content-length", "content-type", "user-agent",
            "speakr-signature", "speakr-delivery-id", "speakr-event", "speakr-timestamp",
            "webhook-id", "webhook-timestamp", "webhook-signature",
        }  # fmt: skip


def test_two_owners_at_one_host_share_nothing_but_connections(
    dispatcher: ThreadedDispatcher, receiver: Receiver, add_webhook: AddWebhook, emit: Emit
) -> None:
    with unit_of_work() as session:
        other = users.create(username="other")
        session.add(
            Webhook(
                user_id=other.id, name="x", url=receiver.url("/other"), allow_http=True,
                events=[event.value for event in EventType], secret_sealed=seal("another secret"),
                headers_sealed=seal('{"Authorization": "Bearer of another"}'),
            )
        )  # fmt: skip
    add_webhook(receiver.url("/mine"), headers_sealed=seal('{"X-Mine": "yes"}'))
    emit()
    dispatcher.start()
    until(all_settled)
    assert receiver.requests("/other") == []  # no owner sees events of another user
    (mine,) = receiver.requests("/mine")
    assert mine.headers["x-mine"] == "yes"
    assert "authorization" not in mine.headers
    assert not re.search(rb"other", mine.body)
    assert SECRET not in str(mine)
