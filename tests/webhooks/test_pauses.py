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
from speakr.maintenance import mailer
from speakr.maintenance.mailer import Mailer
from speakr.models import Notice, User
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
        session.get_one(User, owner.user_id).email = "owner@receiver.example"
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


def test_a_pause_is_mailed_once(
    add_webhook: AddWebhook, emit: Emit, mail_server: MailServer, address: str
) -> None:
    paused(add_webhook, emit)
    man = Mailer(mail_server.url, "speakr@server.example")
    man.deliver()
    man.deliver()
    ((to, letter),) = mail_server.letters
    assert to == address
    assert (letter["From"], letter["To"]) == ("speakr@server.example", address)
    assert letter["Subject"] == "Speakr: a webhook is paused"
    assert "410 Gone" in letter.get_payload(decode=True).decode()  # type: ignore[union-attr] # bytes
    assert notices()[0].mailed_at is not None


def test_many_pauses_in_a_short_time_are_one_letter_and_then_silence(
    add_webhook: AddWebhook, emit: Emit, mail_server: MailServer, address: str
) -> None:
    paused(add_webhook, emit)
    paused(add_webhook, emit)
    man = Mailer(mail_server.url, "speakr@server.example")
    man.deliver()
    paused(add_webhook, emit)
    man.deliver()
    assert len(mail_server.letters) == 1
    with unit_of_work() as session:
        for notice in session.scalars(select(Notice).where(Notice.mailed_at.is_not(None))):
            notice.mailed_at = now() - mailing.MIN_INTERVAL
    man.deliver()
    assert len(mail_server.letters) == 2


def test_two_who_send_at_once_send_one_letter(
    add_webhook: AddWebhook, emit: Emit, mail_server: MailServer, address: str
) -> None:
    paused(add_webhook, emit)
    (letter,) = mailing.pending_emails()
    with unit_of_work():
        assert mailing.claim(letter)
    with unit_of_work():
        assert not mailing.claim(letter)


@pytest.mark.parametrize(
    ("answers", "is_over"),
    [({"RCPT": "550 nobody here"}, True), ({"RCPT": "451 later"}, False), ({"DATA": "554 no"}, False)],
)
def test_what_the_mail_server_refuses(
    answers: dict[str, str],
    is_over: object,
    add_webhook: AddWebhook,
    emit: Emit,
    mail_server: MailServer,
    address: str,
) -> None:
    paused(add_webhook, emit)
    mail_server.answers.update(answers)
    Mailer(mail_server.url, "speakr@server.example").deliver()
    assert mail_server.letters == []
    assert (notices()[0].mailed_at is not None) is is_over


def test_a_mail_server_that_is_away_is_tried_again_later(
    add_webhook: AddWebhook,
    emit: Emit,
    mail_server: MailServer,
    address: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    paused(add_webhook, emit)
    man = Mailer("smtp://127.0.0.1:1", "speakr@server.example")
    man.deliver()
    assert notices()[0].mailed_at is None
    man._server = Mailer(mail_server.url, "")._server
    man.deliver()
    assert mail_server.letters == []  # not so soon
    later = mailer.time.monotonic() + mailer.AGAIN_SECONDS
    monkeypatch.setattr(mailer.time, "monotonic", lambda: later)
    man.deliver()
    assert len(mail_server.letters) == 1


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
    assert mailing.pending_emails() == []


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
