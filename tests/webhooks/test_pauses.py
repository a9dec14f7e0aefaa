"""A pause is reported to its owner, in the app and by mail, and loses nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from speakr.db import db, release, unit_of_work
from speakr.domain.clock import now
from speakr.domain.deliveries import DeliveryStatus, Verdict
from speakr.domain.notices import NoticeKind
from speakr.domain.permissions import Actor
from speakr.domain.webhooks import WhenPaused
from speakr.maintenance.mailer import Mailer
from speakr.models import Email, Notice, User, Webhook
from speakr.services.accounts import mailing
from speakr.services.system import maintenance
from speakr.services.webhooks import webhooks
from tests.webhooks.claims import claim, outcome, settle
from tests.webhooks.conftest import AddWebhook, Emit
from tests.webhooks.dispatchers import ThreadedDispatcher, until
from tests.webhooks.mail_server import MailServer
from tests.webhooks.receiver import Receiver, reply
from tests.webhooks.states import all_settled, deliveries, webhook

URL = "https://receiver.example/hook"


def notices() -> list[Notice]:
    release()
    return list(db.session.scalars(select(Notice).order_by(Notice.id)))


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


@pytest.fixture
def address(owner: Actor) -> str:
    with unit_of_work() as session:
        user = session.get_one(User, owner.user_id)
        user.email, user.email_verified = "owner@receiver.example", True
    return "owner@receiver.example"


def paused(add_webhook: AddWebhook, emit: Emit) -> int:
    hook = add_webhook(URL)
    emit()
    settle(*[outcome(one, Verdict.GONE) for one in claim()])
    return hook


def test_gone_pauses_at_once_and_notifies_the_owner_once(
    add_webhook: AddWebhook, emit: Emit, owner: Actor
) -> None:
    hook = add_webhook(URL)
    emit(3)
    first, *others = claim()
    settle(outcome(first, Verdict.GONE))
    settle(*[outcome(one, Verdict.GONE) for one in others])
    row = webhook(hook)
    assert (row.enabled, row.auto_paused, row.pause_reason) == (
        False,
        True,
        "The receiver answered 410 Gone.",
    )
    assert row.paused_at is not None
    (notice,) = notices()
    assert (notice.user_id, notice.kind, notice.webhook_id) == (
        owner.user_id,
        NoticeKind.WEBHOOK_PAUSED,
        hook,
    )
    assert "410 Gone" in notice.text
    assert "hook" in notice.text


@pytest.mark.parametrize("tuned", [{"webhook_autopause_failures": 2}], indirect=True)
def test_failures_pause_and_a_test_counts_for_nothing(
    add_webhook: AddWebhook, emit: Emit, owner: Actor
) -> None:
    hook = add_webhook(URL)
    for _ in range(3):
        with unit_of_work():
            webhooks.send_test(owner, hook)
        (test,) = claim()
        settle(outcome(test, Verdict.GIVE_UP, is_test=True))
    assert webhook(hook).consecutive_failures == 0
    emit(2)
    settle(*[outcome(one, Verdict.GIVE_UP) for one in claim()])
    assert webhook(hook).paused_at is not None
    assert "2 deliveries in a row have failed." in notices()[0].text


@pytest.mark.parametrize(
    ("choice", "said"), [(WhenPaused.HOLD, "are kept and sent"), (WhenPaused.DROP, "are discarded")]
)
def test_the_notice_says_what_becomes_of_events(
    choice: WhenPaused, said: str, add_webhook: AddWebhook, emit: Emit
) -> None:
    add_webhook(URL, when_paused=choice)
    emit()
    settle(*[outcome(one, Verdict.GONE) for one in claim()])
    assert said in notices()[0].text


def test_a_pause_that_is_rolled_back_sends_no_notice(
    add_webhook: AddWebhook, emit: Emit, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_webhook(URL)
    emit()
    claimed = claim()

    class PowerCut(Exception): ...

    with pytest.raises(PowerCut), unit_of_work():
        from speakr.services.webhooks.deliveries import sending

        sending.settle([outcome(one, Verdict.GONE) for one in claimed])
        raise PowerCut
    assert notices() == []


def test_what_was_held_is_sent_oldest_first_and_not_too_fast(
    dispatcher: ThreadedDispatcher, receiver: Receiver, add_webhook: AddWebhook, emit: Emit, owner: Actor
) -> None:
    hook = add_webhook(receiver.url("/hook"), max_per_second=4, max_in_flight=1)
    receiver.script("/hook", reply(410), reply(200))
    emit()
    dispatcher.start()
    until(lambda: webhook(hook).auto_paused)
    held = [emit()[0] for _ in range(5)]
    webhooks.change(owner, hook, {"enabled": True})
    until(all_settled)
    requests = receiver.requests("/hook")[1:]
    assert [one.headers["webhook-id"] for one in requests] == held
    assert requests[-1].at - requests[0].at > 4 / 4 * 0.7
    assert webhook(hook).consecutive_failures == 0
    assert {row.status for row in deliveries(hook)[1:]} == {DeliveryStatus.SUCCESS}


# -- by mail


def mailer_of(server: MailServer) -> Mailer:
    return Mailer(server.url, "speakr@server.example")


def test_a_pause_is_mailed_once(
    add_webhook: AddWebhook, emit: Emit, mail_server: MailServer, address: str
) -> None:
    paused(add_webhook, emit)
    mailer = mailer_of(mail_server)
    mailer.deliver()
    mailer.deliver()
    ((to, letter),) = mail_server.letters
    assert to == address
    assert (letter["From"], letter["To"]) == ("speakr@server.example", address)
    assert letter["Subject"] == "Speakr: a webhook is paused"
    assert "410 Gone" in letter.get_payload(decode=True).decode()  # type: ignore[union-attr] # bytes
    assert notices()[0].mailed_at is not None


def test_nothing_is_mailed_to_an_address_that_is_not_verified(
    add_webhook: AddWebhook, emit: Emit, mail_server: MailServer, address: str, owner: Actor
) -> None:
    paused(add_webhook, emit)
    with unit_of_work() as session:
        session.get_one(User, owner.user_id).email_verified = False
    mailer_of(mail_server).deliver()
    assert mail_server.letters == []


def test_a_letter_has_no_link_of_a_user(
    add_webhook: AddWebhook, emit: Emit, mail_server: MailServer, address: str
) -> None:
    hook = add_webhook(URL)
    name = "Win \u201d http://evil.example/a?b \u201c www.evil.example \u202egro " + "x" * 100
    with unit_of_work() as session:
        session.get_one(Webhook, hook).name = name[:100]
    emit()
    settle(*[outcome(one, Verdict.GONE) for one in claim()])
    mailer_of(mail_server).deliver()
    ((_, letter),) = mail_server.letters
    text = letter.get_payload(decode=True).decode()  # type: ignore[union-attr] # bytes
    assert "Your webhook \u201cWin http evil example a b www evil examp\u2026\u201d is paused." in text
    assert "410 Gone" in text


def test_many_pauses_in_a_short_time_are_one_letter_and_then_silence(
    add_webhook: AddWebhook, emit: Emit, mail_server: MailServer, address: str
) -> None:
    paused(add_webhook, emit)
    paused(add_webhook, emit)
    mailer = mailer_of(mail_server)
    mailer.deliver()
    paused(add_webhook, emit)
    mailer.deliver()
    assert len(mail_server.letters) == 1
    with unit_of_work() as session:
        for email in session.scalars(select(Email)):
            email.settled_at = now() - mailing.MIN_INTERVAL
    mailer.deliver()
    assert len(mail_server.letters) == 2


def test_two_who_send_at_once_send_one_letter(
    add_webhook: AddWebhook, emit: Emit, mail_server: MailServer, address: str
) -> None:
    paused(add_webhook, emit)
    for _ in range(2):
        with unit_of_work():
            mailing.gather()
    (email_id,) = mailing.due(10)
    release()
    with unit_of_work():
        assert mailing.claim(email_id) is not None
    with unit_of_work():
        assert mailing.claim(email_id) is None


def _is_old(notice: Notice) -> None:
    notice.created_at = now() - mailing.MAX_AGE - timedelta(seconds=1)


def _is_read(notice: Notice) -> None:
    notice.read_at = now()


@pytest.mark.parametrize("change", [_is_old, _is_read])
def test_what_is_old_or_read_is_not_mailed(
    change: Any, add_webhook: AddWebhook, emit: Emit, mail_server: MailServer, address: str
) -> None:
    paused(add_webhook, emit)
    with unit_of_work() as session:
        change(session.scalars(select(Notice)).one())
    mailer_of(mail_server).deliver()
    assert mail_server.letters == []


def test_the_dispatcher_sends_the_mail(
    settings: Any,
    app: Flask,
    receiver: Receiver,
    add_webhook: AddWebhook,
    emit: Emit,
    address: str,
    mail_server: MailServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(maintenance, "EVERY_SECONDS", 0.05)
    object.__setattr__(settings, "smtp_url", mail_server.url)
    object.__setattr__(settings, "mail_from", "speakr@server.example")
    add_webhook(receiver.url("/hook"))
    receiver.script("/hook", reply(410))
    emit()
    dispatcher = ThreadedDispatcher(app)
    dispatcher.start()
    until(lambda: mail_server.letters)
    dispatcher.stop()
