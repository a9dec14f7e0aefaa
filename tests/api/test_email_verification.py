"""E-mail addresses are verified before anything but one fixed text is sent to them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from speakr.db import db, release, unit_of_work
from speakr.domain.clock import now
from speakr.maintenance.mailer import Mailer
from speakr.models import Email, User
from speakr.services.accounts import email_codes, email_texts, email_verification
from speakr.settings import Settings
from tests.conftest import Person
from tests.webhooks.mail_server import MailServer

ME = "/api/v1/users/me"
ASK = f"{ME}/email/verification"
VERIFY = f"{ME}/email/verify"
PAGE = "/api/v1/email/verify"
ADDRESS = "alice@mail.example"
CODE = re.compile(r"[0-9]+-[0-9a-f]{32}")


@pytest.fixture
def settings(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    chosen = {
        "smtp_url": "smtp://127.0.0.1:1",
        "mail_from": "speakr@server.example",
        "public_url": "https://speakr.example/base",
    }
    return replace(settings, **{**chosen, **getattr(request, "param", {})})


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


@pytest.fixture
def send(app: Flask, mail_server: MailServer) -> Callable[[], list[tuple[str, str]]]:
    """Send what waits; return the recipients and texts of all letters so far."""

    def deliver() -> list[tuple[str, str]]:
        Mailer(mail_server.url, "speakr@server.example").deliver()
        return [(to, letter.get_payload(decode=True).decode()) for to, letter in mail_server.letters]  # type: ignore[union-attr] # bytes

    return deliver


def the_code(letters: list[tuple[str, str]]) -> str:
    match = CODE.search(letters[-1][1])
    assert match is not None
    return match[0]


def is_verified(person: Person) -> Any:
    return person.get(ME).json["email_verified"]


def set_times(**values: Any) -> None:
    with unit_of_work() as session:
        for email in session.scalars(select(Email)):
            for name, value in values.items():
                setattr(email, name, value)


def test_a_new_address_gets_one_letter_without_text_of_users(
    alice: Person, send: Callable[[], list[tuple[str, str]]]
) -> None:
    alice.patch(ME, json={"name": "Buy at http://evil.example", "email": ADDRESS})
    ((to, text),) = send()
    assert to == ADDRESS
    assert "evil" not in text
    assert f"https://speakr.example/base{PAGE}?code={the_code([(to, text)])}" in text
    assert len(send()) == 1


@pytest.mark.parametrize("settings", [{"public_url": ""}], indirect=True)
def test_without_a_public_url_the_letter_has_a_code_and_no_link(
    alice: Person, send: Callable[[], list[tuple[str, str]]]
) -> None:
    alice.patch(ME, json={"email": ADDRESS}, headers={"Host": "evil.example"})
    ((_, text),) = send()
    assert "http" not in text
    assert f"speakr verify-email {the_code([('', text)])}" in text


def test_a_code_works_once_and_for_its_user(
    alice: Person, bob: Person, send: Callable[[], list[tuple[str, str]]]
) -> None:
    alice.patch(ME, json={"email": ADDRESS})
    code = the_code(send())
    wrong = [
        bob.post(VERIFY, json={"code": code}),
        alice.post(VERIFY, json={"code": f"{code[:-1]}{'0' if code[-1] != '0' else '1'}"}),
        alice.post(VERIFY, json={"code": "9" * 60}),
        alice.post(VERIFY, json={"code": "1\u0660-" + "0" * 32}),
    ]
    assert {(answer.status_code, answer.json["code"]) for answer in wrong} == {(404, "wrong_code")}
    assert is_verified(alice) is False
    done = alice.post(VERIFY, json={"code": f" {code} "})
    assert (done.status_code, done.json["email_verified"]) == (200, True)
    assert alice.post(VERIFY, json={"code": code}).status_code == 404
    assert is_verified(alice) is True


@pytest.mark.parametrize("body", [{}, {"code": None}, {"code": 5}, {"code": "1" * 101}, []])
@pytest.mark.on_sqlite
def test_a_malformed_code_is_refused(alice: Person, body: Any) -> None:
    assert alice.post(VERIFY, json=body).status_code == 400


def test_the_page_verifies_only_after_a_click(
    alice: Person, app: Flask, send: Callable[[], list[tuple[str, str]]]
) -> None:
    alice.patch(ME, json={"email": ADDRESS})
    code = the_code(send())
    browser = app.test_client()
    shown = browser.get(f"{PAGE}?code={code}")
    assert (shown.status_code, shown.mimetype) == (200, "text/html")
    assert "frame-ancestors 'none'" in shown.headers["Content-Security-Policy"]
    assert shown.headers["Cache-Control"] == "no-store"
    assert is_verified(alice) is False
    done = browser.post(PAGE, data={"code": code})
    assert (done.status_code, ADDRESS in done.text) == (200, True)
    assert is_verified(alice) is True
    again = browser.post(PAGE, data={"code": code})
    assert (again.status_code, ADDRESS in again.text) == (404, False)


@pytest.mark.on_sqlite
@pytest.mark.parametrize("code", ["", "<script>alert(1)</script>", "1-\x00", "%ff"])
def test_the_page_shows_no_text_of_its_address(app: Flask, code: str) -> None:
    for answer in (
        app.test_client().get(PAGE, query_string={"code": code}),
        app.test_client().post(PAGE, data={"code": code}),
    ):
        assert answer.status_code == 404
        assert "script" not in answer.text


def test_a_code_expires(alice: Person, send: Callable[[], list[tuple[str, str]]]) -> None:
    alice.patch(ME, json={"email": ADDRESS})
    code = the_code(send())
    set_times(created_at=now() - email_codes.LIFETIME)
    assert alice.post(VERIFY, json={"code": code}).status_code == 404


def test_a_changed_address_voids_the_code(alice: Person, send: Callable[[], list[tuple[str, str]]]) -> None:
    alice.patch(ME, json={"email": ADDRESS})
    code = the_code(send())
    alice.patch(ME, json={"email": "other@mail.example"})
    assert alice.post(VERIFY, json={"code": code}).status_code == 404
    assert is_verified(alice) is False


def test_a_letter_to_an_address_that_was_changed_is_not_sent(
    alice: Person, send: Callable[[], list[tuple[str, str]]]
) -> None:
    alice.patch(ME, json={"email": "typo@mail.example"})
    set_times(created_at=now() - timedelta(minutes=2))
    alice.patch(ME, json={"email": ADDRESS})
    assert [to for to, _ in send()] == [ADDRESS]


def test_another_letter_can_be_requested(alice: Person, send: Callable[[], list[tuple[str, str]]]) -> None:
    alice.patch(ME, json={"email": ADDRESS})
    send()
    too_soon = alice.post(ASK)
    assert (too_soon.status_code, too_soon.json["code"]) == (429, "rate_limited")
    assert 0 < int(too_soon.headers["Retry-After"]) <= 60
    set_times(created_at=now() - timedelta(minutes=2))
    asked = alice.post(ASK)
    assert (asked.status_code, asked.json["email"]) == (202, ADDRESS)
    letters = send()
    assert len(letters) == 2
    assert alice.post(VERIFY, json={"code": the_code(letters)}).status_code == 200


def test_letters_of_one_user_are_limited(alice: Person) -> None:
    for number in range(email_verification.MAX_PER_USER + 3):
        alice.patch(ME, json={"email": f"alice{number}@mail.example"})
        set_times(created_at=now() - timedelta(minutes=2))
    release()
    assert len(db.session.scalars(select(Email)).all()) == email_verification.MAX_PER_USER
    refused = alice.post(ASK)
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 23 * 3600


def test_letters_to_one_address_are_limited(make_person: Callable[..., Person]) -> None:
    for number in range(email_verification.MAX_PER_ADDRESS + 2):
        person = make_person(f"user{number}")
        assert person.patch(ME, json={"email": ADDRESS.upper() if number % 2 else ADDRESS}).status_code == 200
        last = person.post(ASK)
        person.patch(ME, json={"email": None})
    release()
    assert last.status_code == 429
    assert len(db.session.scalars(select(Email)).all()) == email_verification.MAX_PER_ADDRESS


@pytest.mark.parametrize("settings", [{"smtp_url": ""}], indirect=True)
def test_without_a_mail_server_no_letter_is_requested(alice: Person) -> None:
    alice.patch(ME, json={"email": ADDRESS})
    release()
    assert db.session.scalars(select(Email)).all() == []
    refused = alice.post(ASK)
    assert (refused.status_code, refused.json["code"]) == (409, "mail_not_configured")


def test_a_letter_is_requested_for_an_unverified_address_only(alice: Person) -> None:
    assert alice.post(ASK).json["code"] == "no_email"
    alice.patch(ME, json={"email": ADDRESS})
    with unit_of_work() as session:
        session.get_one(User, alice.id).email_verified = True
    assert alice.post(ASK).json["code"] == "email_verified"


def test_administrators_may_vouch_for_addresses(
    alice: Person, make_person: Callable[..., Person], send: Callable[[], list[tuple[str, str]]]
) -> None:
    from speakr.domain.permissions import Scope

    root = make_person("root", is_admin=True, scopes=frozenset(Scope))
    made = root.post(
        "/api/v1/admin/users", json={"username": "eve", "email": "eve@mail.example", "email_verified": True}
    )
    assert (made.status_code, made.json["email_verified"]) == (201, True)
    changed = root.patch(f"/api/v1/admin/users/{alice.id}", json={"email": ADDRESS, "email_verified": True})
    assert changed.json["email_verified"] is True
    assert send() == []
    root.post("/api/v1/admin/users", json={"username": "dan", "email": "dan@mail.example"})
    assert [to for to, _ in send()] == ["dan@mail.example"]


@pytest.mark.on_sqlite
@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Weekly notes", "Weekly notes"),
        ("http://evil.example/x", "http evil example x"),
        ("a\u202eb\x1b[31m", "a b 31m"),
        ("Überblick-2_ü", "Überblick-2_ü"),
        ("x" * 41, "x" * 40 + "\u2026"),
    ],
)
def test_names_in_letters_cannot_be_links(name: str, shown: str) -> None:
    assert email_texts.plain_name(name) == shown
