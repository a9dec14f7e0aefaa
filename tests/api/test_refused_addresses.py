"""Refusals of addresses are alike for ordinary users, and name the reason to administrators."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

from speakr.domain.errors import TransientJobError
from speakr.domain.permissions import Scope
from speakr.egress import guard
from speakr.egress.download_failures import of_exception
from tests.conftest import Person

pytestmark = pytest.mark.on_sqlite

HOOKS = "/api/v1/webhooks"
ANSWERS: dict[str, list[str]] = {
    "private.example": ["10.1.2.3"],
    "loopback.example": ["127.0.0.1"],
    "metadata.example": ["169.254.169.254"],
    "public.example": ["93.184.216.34"],
}


@pytest.fixture(autouse=True)
def _names(monkeypatch: pytest.MonkeyPatch) -> None:
    def find(host: str, *_: Any, **__: Any) -> list[Any]:
        if host not in ANSWERS:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answer, 443)) for answer in ANSWERS[host]]

    monkeypatch.setattr(guard.socket, "getaddrinfo", find)


def hook(person: Person, url: str, **more: Any) -> Any:
    return person.post(HOOKS, json={"name": "n", "url": url, "events": ["recording.created"], **more})


CLOSED = (
    "https://private.example/",
    "https://loopback.example/",
    "https://metadata.example/",
    "https://no-such-name.example/",
    "https://10.0.0.1/",
    "https://127.0.0.1/",
    "https://[::1]/",
)


def test_users_get_one_refusal_for_all_closed_addresses(alice: Person) -> None:
    answers = [hook(alice, url) for url in CLOSED]
    assert {answer.status_code for answer in answers} == {400}
    shown = [{**answer.json, "request_id": ""} for answer in answers]
    assert all(each == shown[0] for each in shown)
    assert shown[0]["code"] == "address_refused"
    assert hook(alice, "https://public.example/").status_code == 201


def test_a_change_of_a_webhook_is_refused_alike(alice: Person) -> None:
    number = hook(alice, "https://public.example/").json["id"]
    answers = [alice.patch(f"{HOOKS}/{number}", json={"url": url}) for url in CLOSED]
    assert {(answer.status_code, answer.json["error"]) for answer in answers} == {(400, guard.UNUSABLE)}


def test_administrators_get_the_reason(make_person: Callable[..., Person]) -> None:
    root = make_person("root", is_admin=True, scopes=frozenset(Scope))
    assert "is a private address" in hook(root, "https://private.example/").json["error"]
    missing = hook(root, "https://no-such-name.example/").json
    assert (missing["code"], "could not be resolved" in missing["error"]) == ("name_not_resolved", True)


def test_fetches_of_addresses_are_refused_alike(alice: Person) -> None:
    answers = [
        alice.post("/api/v1/recordings/from-url", json={"url": url})
        for url in ("http://10.0.0.1/a.wav", "http://127.0.0.1/a.wav", "http://169.254.169.254/a.wav")
    ]
    assert {(each.status_code, each.json["error"]) for each in answers} == {(400, guard.UNUSABLE)}


def test_failed_fetches_do_not_tell_private_and_missing_names_apart() -> None:
    def failure(host: str) -> Any:
        with pytest.raises((guard.AddressRefused, guard.NameNotResolved)) as caught:
            guard.check_url(f"https://{host}/", allow_http=True, allow_list=guard.AllowList())
        return of_exception(caught.value)

    private, missing = failure("private.example"), failure("no-such-name.example")
    assert type(private) is type(missing)  # so both fail at once, or both are tried again
    assert (private.slug, private.message) == (missing.slug, missing.message)


def test_a_fetch_is_tried_again_while_the_name_server_does_not_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: Any, **__: Any) -> list[Any]:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(guard.socket, "getaddrinfo", fail)
    with pytest.raises(guard.NameNotResolved) as caught:
        guard.check_url("https://public.example/", allow_http=True, allow_list=guard.AllowList())
    failure = of_exception(caught.value)
    assert isinstance(failure, TransientJobError)
    assert (failure.slug, failure.message) == ("name_not_resolved", guard.UNUSABLE)


@pytest.mark.parametrize(
    "url",
    [
        "https://public.example/\x00",
        "https://pub\x00lic.example/",
        "\x00https://public.example/",
        "https://public.example/\x1f",
        "https://public.example/a\nb",
        "https://public.example/\x7f",
        "https://public.example/\x85",
        "https://public.example/ a",
    ],
)
def test_control_characters_in_the_address_of_a_webhook_are_refused(alice: Person, url: str) -> None:
    number = hook(alice, "https://public.example/").json["id"]
    for answer in (hook(alice, url), alice.patch(f"{HOOKS}/{number}", json={"url": url})):
        assert answer.status_code == 400, answer.json
        assert "url" in answer.json["errors"]


def test_spaces_and_line_ends_around_an_address_are_dropped(alice: Person) -> None:
    assert hook(alice, " https://public.example/\r\n").json["url"] == "https://public.example/"
