"""A house with one of everything, made through the API and the job engine as users would."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from flask import Flask

from speakr.db import unit_of_work
from speakr.domain.clock import now
from speakr.domain.permissions import Scope
from speakr.domain.transcript import Span
from speakr.jobs import runner, transcribe
from speakr.models import CalendarEvent, Recording
from speakr.services import stats
from tests.conftest import Person, wav
from tests.contract.shapes import ERROR, filled, unlike
from tests.fakes import MemoryDoorbell

V1 = "/api/v1"
HOOK = {"name": "n", "url": "http://127.0.0.1:8765/", "events": ["recording.created"], "allow_http": True}


@dataclass
class House:
    """People and the ids of their things, by name."""

    people: dict[str, Person]
    ids: dict[str, Any] = field(default_factory=dict)

    def ask(self, method: str, path: str, body: Any = None, *, as_: str = "alice") -> Any:
        """Send a request; `{names}` in path and body become ids."""
        path = filled(path, self.ids)
        sent = {} if body is None else {"json": filled(body, self.ids)}
        return getattr(self.people[as_], method.lower())(path if path[1:4] == "api" else V1 + path, **sent)

    def make(self, method: str, path: str, body: Any = None, *, as_: str = "alice") -> Any:
        """Send a request that succeeds; return its JSON."""
        answer = self.ask(method, path, body, as_=as_)
        assert answer.status_code < 300, (path, answer.json)
        return answer.json


@pytest.fixture
def settings(settings: Any) -> Any:
    return replace(settings, enable_folders=True, webhook_allowed_hosts="127.0.0.1/32")


@pytest.fixture
def work(doorbell: MemoryDoorbell, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Do all jobs that wait; five seconds of whatever is uploaded are speech."""
    spans = [Span(float(second), second + 0.9) for second in range(0, 5, 2)]
    monkeypatch.setattr(transcribe, "find_speech", lambda _pcm: spans)

    def answer_all() -> None:
        while doorbell.rings:
            _, job_id, _ = doorbell.rings.pop(0)
            runner.run(job_id)

    return answer_all


@pytest.fixture
def house(app: Flask, make_person: Any, upload: Any, work: Callable[[], None]) -> House:
    root = make_person("root", is_admin=True, scopes=frozenset(Scope))
    house = House({name: make_person(name) for name in ("alice", "bob", "lee")} | {"root": root})
    ids = house.ids
    ids["alice"], ids["bob"], ids["lee"] = (house.people[name].id for name in ("alice", "bob", "lee"))
    _filing(house)
    ids["recording"] = upload(
        house.people["alice"],
        wav(6.0),
        notes="Some notes",
        tag_id=str(ids["tag"]),
        folder_id=str(ids["folder"]),
    ).json["id"]
    work()
    house.make("PATCH", "/recordings/{recording}", {"participants": "Ann, Ben", "is_highlighted": True})
    _add_event(ids["recording"])
    ids["waiting"] = upload(house.people["alice"], wav(0.3), title="Waiting").json["id"]
    ids["silent"] = upload(house.people["alice"], wav(0.4), title="Without its audio").json["id"]
    with unit_of_work() as session:
        session.get_one(Recording, ids["silent"]).storage_key = None
    ids["bobs"] = upload(house.people["bob"], wav(0.2)).json["id"]
    ids["shared"] = upload(house.people["bob"], wav(0.25)).json["id"]
    house.make("POST", "/recordings/{shared}/shares", {"user_id": "{alice}"}, as_="bob")
    _webhooks(house)
    ids["token"] = house.make("POST", "/tokens", {"name": "A token"})["id"]
    ids["nobody"] = 2_000_000_000
    stats.forget()
    return house


def _filing(house: House) -> None:
    ids = house.ids
    ids["group"] = house.make("POST", "/groups", {"name": "Group"}, as_="root")["id"]
    for name, role in (("alice", "admin"), ("bob", "member")):
        house.make("POST", "/groups/{group}/members", {"user_id": f"{{{name}}}", "role": role}, as_="root")
    prompts = {"custom_prompt": "Be brief.", "default_language": "en"}
    counts = {"default_min_speakers": 1, "default_max_speakers": 4}
    ids["tag"] = house.make("POST", "/tags", {"name": "Own tag", **prompts, **counts})["id"]
    ids["group_tag"] = house.make("POST", "/tags", {"name": "Group tag", "group_id": "{group}"})["id"]
    ids["bobs_tag"] = house.make("POST", "/tags", {"name": "Bob's"}, as_="bob")["id"]
    ids["folder"] = house.make("POST", "/folders", {"name": "Own folder", **prompts, **counts})["id"]
    ids["group_folder"] = house.make("POST", "/folders", {"name": "Group folder", "group_id": "{group}"})[
        "id"
    ]
    ids["bobs_folder"] = house.make("POST", "/folders", {"name": "Bob's"}, as_="bob")["id"]
    ids["speaker"] = house.make("POST", "/speakers", {"name": "Ann"})["id"]
    ids["other_speaker"] = house.make("POST", "/speakers", {"name": "Ben"})["id"]


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


def _webhooks(house: House) -> None:
    ids = house.ids
    ids["webhook"] = house.make("POST", "/webhooks", HOOK)["id"]
    ids["delivery"] = house.make("POST", "/webhooks/{webhook}/test")["id"]
    ids["disabled"] = house.make("POST", "/webhooks", {**HOOK, "enabled": False})["id"]
    ids["bobs_webhook"] = house.make("POST", "/webhooks", HOOK, as_="bob")["id"]


def check(house: House, method: str, path: str, body: Any, status: int, example: Any, **more: Any) -> None:
    """Ask, and compare status and shape."""
    answer = house.ask(method, path, body, **more)
    assert answer.status_code == status, answer.get_data(as_text=True)
    if example is not None:
        assert unlike(example, answer.json) == []
    else:
        assert answer.data == b""


def check_error(
    house: House, method: str, path: str, body: Any, status: int, sentence: str, **more: Any
) -> Any:
    """Ask for something that fails, and compare status and sentence."""
    answer = house.ask(method, path, body, **more)
    assert answer.status_code == status, answer.get_data(as_text=True)
    assert unlike(ERROR, answer.json) == []
    assert answer.json["error"] == filled(sentence, house.ids)
    assert answer.json["request_id"] == answer.headers["X-Request-ID"]
    return answer.json
