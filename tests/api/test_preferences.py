"""Profiles and preferences of users."""

from __future__ import annotations

import pytest
from flask import Flask

from speakr.db import unit_of_work
from speakr.domain.permissions import DEFAULT_SCOPES, Scope
from speakr.models import User
from speakr.services.accounts import users
from tests.conftest import Person

ME = "/api/v1/users/me"


def set_columns(person: Person, **values: object) -> None:
    with unit_of_work() as session:
        for name, value in values.items():
            setattr(session.get_one(User, person.id), name, value)


def test_a_profile_is_changed_in_part(alice: Person) -> None:
    changed = alice.patch(
        ME, json={"name": " Alice Johnson ", "job_title": "PM", "company": "", "is_admin": True}
    )
    assert changed.status_code == 200
    assert changed.json == alice.get(ME).json
    assert {key: changed.json[key] for key in ("name", "job_title", "company", "is_admin")} == {
        "name": "Alice Johnson",
        "job_title": "PM",
        "company": None,
        "is_admin": False,
    }
    assert alice.patch(ME, json={"job_title": None}).json["name"] == "Alice Johnson"
    assert alice.patch(ME, json={}).json["code"] == "empty_body"
    assert alice.patch(ME, json={"unknown": 1}).json["code"] == "empty_body"


def test_a_new_address_is_not_verified(alice: Person, bob: Person) -> None:
    assert alice.patch(ME, json={"email": "alice@example.com"}).json["email_verified"] is False
    set_columns(alice, email_verified=True)
    assert alice.patch(ME, json={"email": "alice@example.com"}).json["email_verified"] is True
    assert alice.patch(ME, json={"name": "A"}).json["email_verified"] is True
    changed = alice.patch(ME, json={"email": " alice@example.org "}).json
    assert (changed["email"], changed["email_verified"]) == ("alice@example.org", False)
    taken = bob.patch(ME, json={"email": "ALICE@example.org"})
    assert (taken.status_code, taken.json["code"]) == (409, "user_exists")
    assert alice.patch(ME, json={"email": "Alice@example.org"}).json["email"] == "Alice@example.org"
    assert alice.patch(ME, json={"email": ""}).json["email"] is None
    for wrong in ("alice", "@", "a@", "@b", "a b@c", 5):
        assert list(alice.patch(ME, json={"email": wrong}).json["errors"]) == ["email"]


def test_preferences_are_merged(alice: Person) -> None:
    before = alice.get(ME).json["preferences"]
    alice.patch(ME, json={"preferences": {"diarize": False, "unknown": 1}})
    alice.patch(ME, json={"preferences": {"output_language": "de", "summary_prompt": "In verse."}})
    wanted = {**before, "diarize": False, "output_language": "de", "summary_prompt": "In verse."}
    assert alice.get(ME).json["preferences"] == wanted
    back = {"diarize": True, "output_language": None, "summary_prompt": ""}
    assert alice.patch(ME, json={"preferences": back}).json["preferences"] == before


@pytest.mark.parametrize(
    ("given", "kept"),
    [(0, 0.0), (1, 1.0), (0.8, 0.8), ("low", 0.65), ("Medium", 0.75), ("high", 0.85)],
)
def test_thresholds(alice: Person, given: object, kept: float) -> None:
    answer = alice.patch(ME, json={"preferences": {"auto_speaker_labelling_threshold": given}})
    assert answer.json["preferences"]["auto_speaker_labelling_threshold"] == kept


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("diarize", "yes"),
        ("extract_events", 1),
        ("auto_summarization", None),
        ("auto_speaker_labelling_threshold", 1.1),
        ("auto_speaker_labelling_threshold", -1),
        ("auto_speaker_labelling_threshold", True),
        ("auto_speaker_labelling_threshold", "0.5"),
        ("auto_speaker_labelling_threshold", None),
        ("ui_language", None),
        ("ui_language", ""),
        ("transcription_language", "English please"),
        ("output_language", "e"),
        ("output_language", 5),
        ("summary_prompt", "x" * 20_001),
        ("summary_prompt", ["x"]),
    ],
)
def test_preferences_of_the_wrong_kind_are_named(alice: Person, name: str, value: object) -> None:
    refused = alice.patch(ME, json={"name": "lost", "preferences": {"editor_autosave": False, name: value}})
    assert refused.status_code == 400
    assert list(refused.json["errors"]) == [f"preferences.{name}"]
    now_is = alice.get(ME).json
    assert (now_is["name"], now_is["preferences"]["editor_autosave"]) == (None, True)


@pytest.mark.parametrize("value", ["en", "de", "yue", "pt-BR", "zh-Hans"])
def test_languages(alice: Person, value: str) -> None:
    names = ("ui_language", "transcription_language", "output_language")
    answer = alice.patch(ME, json={"preferences": dict.fromkeys(names, value)})
    assert [answer.json["preferences"][name] for name in names] == [value] * 3


def test_automatic_summaries_have_an_address_of_their_own(alice: Person) -> None:
    address = "/api/v1/settings/auto-summarization"
    assert alice.put(address, json={"enabled": False}).json == {"success": True, "auto_summarization": False}
    assert alice.get(ME).json["preferences"]["auto_summarization"] is False
    assert alice.put(address, json={"enabled": True}).json["auto_summarization"] is True
    missing = alice.put(address, json={})
    assert (missing.status_code, missing.json["error"]) == (400, "enabled field is required")
    assert alice.put(address, json={"enabled": "no"}).status_code == 400


def test_changing_a_password_needs_the_old_one(app: Flask, alice: Person) -> None:
    set_columns(alice, password_hash=users.hashed("the old one"))
    for form in ({"password": "the new one"}, {"password": "the new one", "current_password": "a guess"}):
        refused = alice.patch(ME, json=form)
        assert (refused.status_code, list(refused.json["errors"])) == (400, ["current_password"])
    short = alice.patch(ME, json={"password": "short", "current_password": "the old one"})
    assert (short.status_code, list(short.json["errors"])) == (400, ["password"])
    done = alice.patch(ME, json={"password": "the new one", "current_password": "the old one"})
    assert done.status_code == 200
    assert "the new one" not in done.text
    assert users.authenticate("alice", "the new one").user_id == alice.id


def test_a_token_cannot_give_its_user_a_first_password(alice: Person) -> None:
    """A password gives all scopes, so a token with few would become one with all."""
    for form in ({"password": "long enough"}, {"password": "long enough", "current_password": ""}):
        refused = alice.patch(ME, json=form)
        assert (refused.status_code, list(refused.json["errors"])) == (400, ["current_password"])


def test_reading_does_not_write(make_person) -> None:
    reader = make_person("reader", scopes=frozenset({Scope.READ}))
    assert reader.get(ME).status_code == 200
    assert reader.patch(ME, json={"name": "x"}).json["code"] == "scope_missing"
    writer = make_person("writer", scopes=DEFAULT_SCOPES - {Scope.READ})
    assert writer.patch(ME, json={"name": "x"}).json["name"] == "x"
