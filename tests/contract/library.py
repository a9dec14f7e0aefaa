"""A library with one object of every kind, created through the API and the job engine as users do, and requests to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import Flask

from speakr.db import unit_of_work
from speakr.domain.clock import now
from speakr.domain.permissions import DEFAULT_SCOPES, Scope
from speakr.models import CalendarEvent, Recording
from speakr.services.accounts import tokens, users
from tests.conftest import Person, multipart, wav
from tests.contract.shapes import ERROR, filled, unlike
from tests.fakes import FakeTranscriber, FakeWriter, MemoryJobNotifier

V1 = "/api/v1"
TARGET = "http://127.0.0.1:8765/"
HOOK = {"name": "n", "url": TARGET, "events": ["recording.created"], "allow_http": True}


@dataclass
class Engines:
    """The transcription and language engines; a test may replace them."""

    transcriber: FakeTranscriber = field(default_factory=FakeTranscriber)
    writer: FakeWriter = field(default_factory=FakeWriter)


@dataclass
class Library:
    """People and the ids of their things, by name."""

    people: dict[str, Person]
    notifier: MemoryJobNotifier
    engines: Engines
    work: Callable[[], None]
    """Do all jobs that wait."""
    ids: dict[str, Any] = field(default_factory=dict)

    def ask(self, method: str, path: str, body: Any = None, *, as_: str = "alice", **more: Any) -> Any:
        """Send a request; `{names}` in path and body become ids."""
        path = filled(path, self.ids)
        sent = more if body is None else {"json": filled(body, self.ids), **more}
        return getattr(self.people[as_], method.lower())(path if path[1:4] == "api" else V1 + path, **sent)

    def make(self, method: str, path: str, body: Any = None, *, as_: str = "alice") -> Any:
        """Send a request that succeeds; return its JSON."""
        answer = self.ask(method, path, body, as_=as_)
        assert answer.status_code < 300, (path, answer.json)
        return answer.json

    def upload(
        self, data: bytes | None = None, *, as_: str = "alice", filename: str = "meeting.wav", **fields: Any
    ) -> Any:
        """Upload bytes; return the response."""
        form = {name: str(filled(value, self.ids)) for name, value in fields.items()}
        body, content_type = multipart(wav(0.2) if data is None else data, filename, form)
        return self.ask("POST", "/recordings/upload", as_=as_, data=body, content_type=content_type)


def check(library: Library, method: str, path: str, body: Any, status: int, example: Any, **more: Any) -> Any:
    """Ask, compare status and shape, and return the JSON; without an example nothing may be answered."""
    answer = library.ask(method, path, body, **more)
    assert answer.status_code == status, answer.get_data(as_text=True)
    if example is None:
        assert answer.data == b""
        return None
    assert unlike(example, answer.json) == []
    return answer.json


def check_error(
    library: Library, method: str, path: str, body: Any, status: int, sentence: str, **more: Any
) -> Any:
    """Ask for something that fails, and compare status and sentence."""
    answer = library.ask(method, path, body, **more)
    assert answer.status_code == status, answer.get_data(as_text=True)
    assert unlike(ERROR, answer.json) == []
    assert answer.json["error"] == filled(sentence, library.ids)
    assert answer.json["request_id"] == answer.headers["X-Request-ID"]
    return answer.json


def add_person(app: Flask, name: str) -> Person:
    """Add a user with a token; root is an admin."""
    is_admin = name == "root"
    with unit_of_work():
        user = users.create(username=name, is_admin=is_admin)
        _, raw = tokens.create(user.id, scopes=frozenset(Scope) if is_admin else DEFAULT_SCOPES)
        return Person(user.id, name, raw, app.test_client())


def fill(library: Library) -> None:
    """Fill a library that has only users."""
    ids = library.ids
    ids |= {name: library.people[name].id for name in ("alice", "bob", "lee")}
    _filing(library)
    uploaded = library.upload(wav(6.0), notes="Some notes", tag_id="{tag}", folder_id="{folder}")
    ids["recording"] = uploaded.json["id"]
    library.work()
    library.make("PATCH", "/recordings/{recording}", {"participants": "Ann, Ben", "is_highlighted": True})
    _add_event(ids["recording"])
    ids["waiting"] = library.upload(wav(0.3), title="Waiting").json["id"]
    ids["silent"] = library.upload(wav(0.4), title="Without its audio").json["id"]
    with unit_of_work() as session:
        session.get_one(Recording, ids["silent"]).storage_key = None
    ids["bobs"] = library.upload(wav(0.2), as_="bob").json["id"]
    ids["shared"] = library.upload(wav(0.25), as_="bob").json["id"]
    library.make("POST", "/recordings/{shared}/shares", {"user_id": "{alice}"}, as_="bob")
    _webhooks(library)
    ids["token"] = library.make("POST", "/tokens", {"name": "A token"})["id"]
    ids["nobody"] = 2_000_000_000


def _filing(library: Library) -> None:
    library.ids["group"] = library.make("POST", "/groups", {"name": "Group"}, as_="root")["id"]
    for name, role in (("alice", "admin"), ("bob", "member")):
        library.make("POST", "/groups/{group}/members", {"user_id": f"{{{name}}}", "role": role}, as_="root")
    defaults = {
        "custom_prompt": "Be brief.",
        "default_language": "en",
        "default_min_speakers": 1,
        "default_max_speakers": 4,
    }
    things: Mapping[str, tuple[str, Mapping[str, Any], str]] = {
        "tag": ("/tags", {"name": "Own tag", **defaults}, "alice"),
        "group_tag": ("/tags", {"name": "Group tag", "group_id": "{group}"}, "alice"),
        "bobs_tag": ("/tags", {"name": "Bob's"}, "bob"),
        "folder": ("/folders", {"name": "Own folder", **defaults}, "alice"),
        "group_folder": ("/folders", {"name": "Group folder", "group_id": "{group}"}, "alice"),
        "bobs_folder": ("/folders", {"name": "Bob's"}, "bob"),
        "speaker": ("/speakers", {"name": "Ann"}, "alice"),
        "other_speaker": ("/speakers", {"name": "Ben"}, "alice"),
        "bobs_speaker": ("/speakers", {"name": "Cem"}, "bob"),
    }
    for name, (path, body, owner) in things.items():
        library.ids[name] = library.make("POST", path, body, as_=owner)["id"]


def _add_event(recording_id: int) -> None:
    with unit_of_work() as session:
        session.add(
            CalendarEvent(
                recording_id=recording_id,
                title="An appointment",
                start_at=now(),
                end_at=now(),
                description="What it is about",
                location="A room",
            )
        )


def _webhooks(library: Library) -> None:
    ids = library.ids
    ids["webhook"] = library.make("POST", "/webhooks", HOOK)["id"]
    ids["delivery"] = library.make("POST", "/webhooks/{webhook}/test")["id"]
    ids["disabled"] = library.make("POST", "/webhooks", {**HOOK, "enabled": False})["id"]
    ids["bobs_webhook"] = library.make("POST", "/webhooks", HOOK, as_="bob")["id"]
