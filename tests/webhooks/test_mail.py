"""E-mails: what is wrong with one delays no other, and passwords are not sent without encryption."""

from __future__ import annotations

import contextlib
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from speakr.db import db, release, unit_of_work
from speakr.domain.clock import now
from speakr.domain.emails import EmailKind, EmailState
from speakr.domain.errors import Invalid
from speakr.domain.notices import NoticeKind
from speakr.maintenance import mailer as mailer_module
from speakr.maintenance.mailer import Mailer
from speakr.models import Email, Notice, User
from speakr.services.accounts import mailing, notices, users
from tests.webhooks.mail_server import MailServer

AddUser = Callable[..., int]


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


@pytest.fixture
def add_user(app: Flask) -> AddUser:
    """Add a user with a verified address and an unread notice."""

    def add(name: str, address: str | None = None) -> int:
        with unit_of_work():
            user = users.create(username=name)
            # An address that an earlier version accepted may be odd.
            user.email, user.email_verified = address or f"{name}@mail.example", True
            notices.record(user.id, NoticeKind.WEBHOOK_PAUSED, f"Your webhook \u201c{name}\u201d is paused.")
            return user.id

    return add


def mailer_of(server: MailServer, **options: Any) -> Mailer:
    return Mailer(server.url, "speakr@server.example", **options)


def emails() -> dict[str, Email]:
    release()
    found = db.session.execute(select(User.username, Email).join(User, User.id == Email.user_id))
    return {name: email for name, email in found}  # noqa: C416 - rows are no pairs for `dict`


def make_due() -> None:
    with unit_of_work() as session:
        for email in session.scalars(select(Email)):
            email.next_attempt_at = now()


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ("550 no such mailbox", EmailState.GIVEN_UP),
        ("450 mailbox busy", EmailState.WAITING),
        ("hang up", EmailState.WAITING),
    ],
)
def test_a_refused_mailbox_delays_no_other(
    add_user: AddUser, mail_server: MailServer, answer: str, state: EmailState
) -> None:
    add_user("ann")
    add_user("bob")
    add_user("carl")
    mail_server.answers["RCPT ann@mail.example"] = answer
    mailer = mailer_of(mail_server)
    mailer.deliver()
    mailer._not_before = 0.0
    mailer.deliver()
    assert sorted(mail_server.recipients) == ["bob@mail.example", "carl@mail.example"]
    assert {name: email.state for name, email in emails().items()} == {
        "ann": state,
        "bob": EmailState.SENT,
        "carl": EmailState.SENT,
    }
    assert emails()["ann"].attempts == 1


ODD = [
    '"@mail.example',
    "a,b@mail.example",
    "a@b,c",
    "<a@b>",
    "(@)",
    "a:b;@c",
    r"/:\@>;aéf",
    "a@[",
    "@:;@",
    "a@b\x00c",
]


@pytest.mark.on_sqlite
@pytest.mark.parametrize("address", ODD)
def test_an_odd_address_is_refused_when_it_is_set(app: Flask, address: str) -> None:
    with app.app_context(), pytest.raises(Invalid), unit_of_work():
        users.create(username="ann", email=address)


@pytest.mark.on_sqlite
@pytest.mark.parametrize(
    "address", ["a@b", "Ann.O'Neil+x@mail.example", "pöison@mail.exämple", "a@[192.0.2.1]"]
)
def test_an_ordinary_address_may_be_set(app: Flask, address: str) -> None:
    with app.app_context(), unit_of_work():
        assert users.create(username="ann", email=address).email == address


@pytest.mark.on_sqlite
def test_an_address_that_breaks_the_parser_is_given_up(add_user: AddUser, mail_server: MailServer) -> None:
    add_user("ann", r"/:\@>;aéf")
    mailer_of(mail_server).deliver()
    assert (emails()["ann"].state, mail_server.letters) == (EmailState.GIVEN_UP, [])


@pytest.mark.on_sqlite
def test_a_slow_mail_server_gets_each_email_once(add_user: AddUser, mail_server: MailServer) -> None:
    add_user("ann")
    mail_server.delays = {"greeting": 5.5, "text": 5.5}  # as servers do against senders of spam
    mailer_of(mail_server).deliver()
    assert mail_server.recipients == ["ann@mail.example"]
    assert emails()["ann"].state is EmailState.SENT


def test_an_email_without_an_answer_is_sent_twice_at_most(
    add_user: AddUser, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_user("ann")
    monkeypatch.setattr(mailer_module, "ANSWER_SECONDS", 0.5)
    answer = threading.Event()
    mail_server.delays["text"] = answer
    try:
        for _ in range(mailing.MAX_ATTEMPTS):
            mailer_of(mail_server).deliver()
            make_due()
    finally:
        answer.set()
    assert mail_server.recipients == ["ann@mail.example"] * 2
    assert emails()["ann"].state is EmailState.SENT


@pytest.mark.parametrize("address", ODD[:-1])
def test_an_odd_address_delays_no_other(add_user: AddUser, mail_server: MailServer, address: str) -> None:
    add_user("ann", address)
    add_user("bob")
    mailer = mailer_of(mail_server)
    for _ in range(2):
        with contextlib.suppress(Exception):  # the maintenance thread logs it and goes on
            mailer.deliver()
    assert mail_server.recipients.count("bob@mail.example") == 1
    assert "c" not in mail_server.recipients


def test_an_address_that_needs_smtputf8_delays_no_other(add_user: AddUser, mail_server: MailServer) -> None:
    add_user("ann", "pöison@mail.example")
    add_user("bob")
    mailer_of(mail_server).deliver()
    assert mail_server.recipients == ["bob@mail.example"]
    assert emails()["ann"].state is EmailState.GIVEN_UP


def test_pauses_grow_and_attempts_are_bounded(add_user: AddUser, mail_server: MailServer) -> None:
    user_id = add_user("ann")
    mail_server.answers["DATA"] = "554 no"
    mailer = mailer_of(mail_server)
    waits: list[timedelta] = []
    while not waits or emails()["ann"].state is EmailState.WAITING:
        began = now()
        mailer.deliver()
        waits.append(emails()["ann"].next_attempt_at - began)
        mailer.deliver()  # not due
        make_due()
    assert [round(wait.total_seconds() / 60) for wait in waits] == [1, 5, 15, 60, 240, 240]
    assert emails()["ann"].attempts == len(waits) == mailing.MAX_ATTEMPTS
    assert emails()["ann"].state is EmailState.GIVEN_UP
    with unit_of_work() as session:
        notice = session.scalars(select(Notice).where(Notice.user_id == user_id)).one()
    assert (notice.mailed_at, notice.read_at) == (None, None)  # it is still shown in the app
    mail_server.answers.clear()
    mailer.deliver()
    assert mail_server.letters == []


def test_a_mail_server_that_is_away_costs_no_attempt(
    add_user: AddUser, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_user("ann")
    mailer = Mailer("smtp://127.0.0.1:1", "speakr@server.example")
    mailer.deliver()
    assert emails()["ann"].attempts == 0
    mailer._server = mailer_of(mail_server)._server
    mailer.deliver()
    assert mail_server.letters == []  # not so soon
    later = mailer_module.time.monotonic() + mailer_module.AGAIN_SECONDS
    monkeypatch.setattr(mailer_module.time, "monotonic", lambda: later)
    mailer.deliver()
    assert mail_server.recipients == ["ann@mail.example"]


def test_an_attempt_that_was_interrupted_is_made_again(
    add_user: AddUser, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_user("ann")

    class PowerCut(BaseException): ...

    def die(_mailer: Mailer, connection: Any, *_: object) -> None:
        connection.close()
        raise PowerCut

    with monkeypatch.context() as patch, pytest.raises(PowerCut):
        patch.setattr(Mailer, "_send", die)
        mailer_of(mail_server).deliver()
    mailer_of(mail_server).deliver()
    assert mail_server.letters == []  # its pause is not over
    make_due()
    mailer_of(mail_server).deliver()
    assert mail_server.recipients == ["ann@mail.example"]


def test_users_take_turns(add_user: AddUser) -> None:
    ann, bob = add_user("ann"), add_user("bob")
    with unit_of_work() as session:
        for number in range(3):
            session.add(
                Email(
                    user_id=ann,
                    kind=EmailKind.VERIFICATION,
                    address="ann@mail.example",
                    next_attempt_at=now() - timedelta(hours=2, minutes=number),
                )
            )
        session.add(Email(user_id=bob, kind=EmailKind.VERIFICATION, address="bob@mail.example"))
    first_two = mailing.due(2)
    found = db.session.scalars(select(Email.user_id).where(Email.id.in_(first_two))).all()
    assert set(found) == {ann, bob}


def test_old_rows_are_removed(add_user: AddUser, mail_server: MailServer) -> None:
    add_user("ann")
    mailer_of(mail_server).deliver()
    with unit_of_work():
        assert mailing.purge() is False
    assert "ann" in emails()
    with unit_of_work() as session:
        session.scalars(select(Email)).one().created_at = now() - mailing.KEPT - timedelta(seconds=1)
    with unit_of_work():
        mailing.purge()
    assert emails() == {}
    mailer_of(mail_server).deliver()
    assert len(mail_server.letters) == 1  # the notice is not mailed again


# -- passwords


def with_password(server: MailServer, **options: Any) -> Mailer:
    return Mailer(server.url.replace("//", "//robot:secret@"), "speakr@server.example", **options)


@pytest.mark.on_sqlite
def test_the_password_is_not_sent_without_encryption(
    add_user: AddUser, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reasons: list[str] = []
    monkeypatch.setattr(
        mailer_module.logger, "warning", lambda _event, **facts: reasons.append(facts["reason"])
    )
    add_user("ann")
    with MailServer(extensions=("AUTH PLAIN",)) as server:
        with_password(server).deliver()
        assert (server.logins, server.letters) == ([], [])
        assert "STARTTLS" in reasons[0]
        assert "SPEAKR_SMTP_ALLOW_PLAINTEXT" in reasons[0]
        assert "secret" not in reasons[0]
        with_password(server, allows_plaintext_login=True).deliver()
        assert server.logins == [("robot", False)]
        assert server.recipients == ["ann@mail.example"]


@pytest.mark.on_sqlite
def test_the_password_is_sent_with_starttls(
    add_user: AddUser, self_signed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_user("ann")
    with MailServer(extensions=("STARTTLS", "AUTH PLAIN"), certificate=self_signed) as server:
        with_password(server).deliver()
        assert (server.logins, server.letters) == ([], [])  # the certificate is not trusted
        trusting = ssl.create_default_context(cafile=str(self_signed))
        monkeypatch.setattr(mailer_module.ssl, "create_default_context", lambda: trusting)
        with_password(server).deliver()
        assert server.logins == [("robot", True)]
        assert server.recipients == ["ann@mail.example"]


@pytest.mark.on_sqlite
def test_smtps_encrypts_from_the_first_byte(add_user: AddUser, mail_server: MailServer) -> None:
    add_user("ann")
    url = with_password(mail_server)._server.geturl().replace("smtp://", "smtps://")
    Mailer(url, "speakr@server.example").deliver()  # that server knows no TLS
    assert (mail_server.logins, mail_server.letters) == ([], [])
    assert emails()["ann"].state is EmailState.WAITING
