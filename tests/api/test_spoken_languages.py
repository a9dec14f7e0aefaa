"""The language of a recording, in each request that may name one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from speakr.db import db, release, unit_of_work
from speakr.models import Job, Recording, User
from speakr.services.system import system_settings
from tests.conftest import Person
from tests.fakes import FakeTranscriber

pytestmark = pytest.mark.on_sqlite


def options(index: int = -1) -> Mapping[str, Any]:
    release()
    return db.session.scalars(select(Job.options).order_by(Job.id)).all()[index]


@pytest.mark.parametrize(
    ("sent", "code"), [("English", "en"), ("en-US", "en"), ("EN", "en"), ("de_DE", "de"), ("日本語", "ja")]
)
def test_an_upload_names_its_language_freely(alice: Person, upload, sent: str, code: str) -> None:
    assert upload(alice, language=sent).status_code == 202
    assert options()["language"] == code


@pytest.mark.parametrize("sent", ["auto", "detect", "", "AUTO"])
def test_auto_detects_whatever_the_preferences_say(alice: Person, upload, sent: str) -> None:
    alice.patch("/api/v1/users/me", json={"preferences": {"transcription_language": "fr"}})
    assert upload(alice, language=sent).status_code == 202
    assert "language" not in options()
    upload(alice)
    assert options()["language"] == "fr"


def test_what_is_no_language_is_refused_before_anything_is_stored(app: Flask, alice: Person, upload) -> None:
    refused = upload(alice, language="klingon")
    assert (refused.status_code, list(refused.json["errors"])) == (400, ["language"])
    body = {"url": "https://files.example.com/a.wav", "language": "klingon"}
    assert list(alice.post("/api/v1/recordings/from-url", json=body).json["errors"]) == ["language"]
    body = {"filename": "a.wav", "language": "klingon"}
    assert alice.post("/api/v1/uploads/signed", json=body).status_code == 400
    release()
    assert db.session.scalars(select(Recording.id)).all() == []


def test_another_transcription(alice: Person, upload, work) -> None:
    number = upload(alice).json["id"]
    work()
    address = f"/api/v1/recordings/{number}/transcribe"
    refused = alice.post(address, json={"language": "klingon"})
    assert (refused.status_code, list(refused.json["errors"])) == (400, ["language"])
    assert alice.post(address, json={"language": "Deutsch"}).status_code == 200
    assert options()["language"] == "de"


def test_defaults_of_tags_and_folders(alice: Person, upload) -> None:
    with unit_of_work():
        system_settings.put("enable_folders", value=True)
    for kind in ("tags", "folders"):
        refused = alice.post(f"/api/v1/{kind}", json={"name": "x", "default_language": "klingon"})
        assert (refused.status_code, list(refused.json["errors"])) == (400, ["default_language"])
    tag = alice.post("/api/v1/tags", json={"name": "t", "default_language": "Português"}).json
    assert tag["default_language"] == "pt"
    kept = alice.put(f"/api/v1/tags/{tag['id']}", json={"default_language": "pt-BR"}).json["tag"]
    assert kept["default_language"] == "pt-BR"
    upload(alice, tag_id=tag["id"])
    assert options()["language"] == "pt"


def test_preferences(alice: Person, upload) -> None:
    def prefer(language: str | None) -> Any:
        return alice.patch("/api/v1/users/me", json={"preferences": {"transcription_language": language}})

    assert list(prefer("klingon").json["errors"]) == ["preferences.transcription_language"]
    wanted = {"German": "de", "en-GB": "en-GB", "auto": None}
    assert {sent: prefer(sent).json["preferences"]["transcription_language"] for sent in wanted} == wanted


def test_a_language_that_an_older_version_stored_does_no_harm(alice: Person, upload) -> None:
    with unit_of_work() as session:
        user = session.get_one(User, alice.id)
        user.preferences = {**user.preferences, "transcription_language": "klingon"}
    assert upload(alice).status_code == 202
    assert "language" not in options()


@pytest.mark.parametrize(
    ("answered", "shown"), [("english", "en"), ("eng", "en"), ("auto", None), ("de-DE", "de"), ("?", None)]
)
def test_the_engine_names_the_language_freely_too(
    alice: Person, upload, work, transcriber: FakeTranscriber, monkeypatch, answered: str, shown: str | None
) -> None:
    transcribe = transcriber.transcribe

    def answer(*arguments: Any) -> Any:
        return replace(transcribe(*arguments), language=answered)

    monkeypatch.setattr(transcriber, "transcribe", answer)
    number = upload(alice).json["id"]
    work()
    release()
    assert db.session.get_one(Recording, number).language == shown
