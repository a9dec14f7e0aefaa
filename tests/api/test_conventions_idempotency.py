"""Idempotency-Key: a repeated request has its effect once, whatever fails in between."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from speakr.db import db, release, unit_of_work
from speakr.domain.errors import Conflict
from speakr.domain.jobs import JobState
from speakr.domain.permissions import DEFAULT_SCOPES, Scope
from speakr.models import ApiToken, Delivery, Event, IdempotencyKey, Job, Recording, Webhook
from speakr.services.system import idempotency, processes
from tests.conftest import Person

KEY = {"Idempotency-Key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}
REPLAYED = "Idempotency-Replayed"


@pytest.fixture(autouse=True)
def _hosts_that_resolve(monkeypatch: pytest.MonkeyPatch) -> None:
    from speakr.services.webhooks import webhooks

    monkeypatch.setattr(webhooks, "check_target", lambda *_args, **_kwargs: None)


def count(table: type) -> int:
    release()
    return db.session.scalar(select(func.count()).select_from(table)) or 0


def stored_texts() -> str:
    release()
    return " ".join(str(body) for body in db.session.scalars(select(IdempotencyKey.response_body)))


WEBHOOK = {"name": "a pipeline", "url": "https://hooks.example.org/x", "events": ["recording.created"]}


@dataclass
class Doing:
    """One POST that creates or queues something, and where its effects can be counted."""

    path: str
    body: dict[str, Any]
    status: int
    made: type

    def send(self, person: Person, **headers: str) -> Any:
        return person.post(self.path, json=self.body, headers=headers or KEY)


def work_on_a_recording(what: str, alice: Person, upload: Callable[..., Any]) -> Doing:
    made = upload(alice).json["id"]
    with unit_of_work() as session:
        job = session.scalars(select(Job)).one()
        job.state = JobState.FAILED
        session.get_one(Recording, made).has_transcription = True
        job_id = job.id
    if what == "retry":
        return Doing(f"/api/v1/jobs/{job_id}/retry", {}, 202, Job)
    return Doing(f"/api/v1/recordings/{made}/{what}", {}, 200, Job)


def work_on_a_webhook(what: str, alice: Person) -> Doing:
    base = f"/api/v1/webhooks/{alice.post('/api/v1/webhooks', json=WEBHOOK).json['id']}"
    if what == "rotate-secret":
        return Doing(f"{base}/rotate-secret", {}, 200, Webhook)
    if what == "test":
        return Doing(f"{base}/test", {}, 202, Delivery)
    delivery = alice.post(f"{base}/test").json["id"]
    return Doing(f"{base}/deliveries/{delivery}/replay", {}, 202, Delivery)


FRESH = {
    "webhook": Doing("/api/v1/webhooks", WEBHOOK, 201, Webhook),
    "token": Doing("/api/v1/tokens", {"name": "n8n"}, 201, ApiToken),
    "token outside": Doing("/api/tokens", {"name": "n8n"}, 201, ApiToken),
}
ON_A_RECORDING = ("transcribe", "summarize", "extract", "retry")
ON_A_WEBHOOK = ("rotate-secret", "test", "replay")


@pytest.fixture(params=[*FRESH, *ON_A_RECORDING, *ON_A_WEBHOOK])
def doing(request: pytest.FixtureRequest, alice: Person, upload: Callable[..., Any]) -> Doing:
    if request.param in ON_A_RECORDING:
        return work_on_a_recording(request.param, alice, upload)
    if request.param in ON_A_WEBHOOK:
        return work_on_a_webhook(request.param, alice)
    return replace(FRESH[request.param])


def test_every_post_that_makes_or_queues_happens_once(alice: Person, doing: Doing) -> None:
    first = doing.send(alice)
    assert first.status_code == doing.status, first.json
    assert REPLAYED not in first.headers
    there = count(doing.made)
    second = doing.send(alice)
    assert (second.status_code, second.data) == (first.status_code, first.data)
    assert second.headers[REPLAYED] == "true"
    assert second.mimetype == "application/json"
    assert count(doing.made) == there


def test_another_body_with_the_same_key_is_refused(alice: Person, doing: Doing) -> None:
    doing.send(alice)
    there = count(doing.made)
    doing.body = {**doing.body, "comment": "more"}
    answer = doing.send(alice)
    assert (answer.status_code, answer.json["code"]) == (400, "idempotency_key_reused")
    assert count(doing.made) == there


def test_without_a_key_nothing_is_remembered(alice: Person) -> None:
    ids = {alice.post("/api/v1/tokens", json={}).json["id"] for _ in range(2)}
    assert len(ids) == 2
    assert count(IdempotencyKey) == 0


def test_one_key_means_one_operation(alice: Person) -> None:
    first = alice.post("/api/v1/tokens", json={}, headers=KEY)
    assert first.status_code == 201
    for path in ("/api/tokens", "/api/v1/webhooks", "/api/v1/tokens?x=1"):
        answer = alice.post(path, json={}, headers=KEY)
        assert (answer.status_code, answer.json["code"]) == (400, "idempotency_key_reused"), path


def test_keys_are_the_users_own(alice: Person, bob: Person) -> None:
    tokens = [person.post("/api/v1/tokens", json={}, headers=KEY).json["token"] for person in (alice, bob)]
    assert tokens[0] != tokens[1]


@pytest.mark.parametrize("key", ["", "x" * 256, "schlüssel"])
def test_unusable_keys(alice: Person, key: str) -> None:
    answer = alice.post("/api/v1/tokens", json={}, headers={"Idempotency-Key": key})
    assert (answer.status_code, answer.json["code"]) == (400, "idempotency_key_invalid")
    assert count(ApiToken) == 1


# -- secrets


@pytest.mark.parametrize(
    ("path", "body"), [("/api/v1/tokens", {"name": "a name in clear"}), ("/api/v1/webhooks", WEBHOOK)]
)
def test_a_secret_shown_once_is_not_kept_in_clear(alice: Person, path: str, body: dict[str, Any]) -> None:
    first = alice.post(path, json=body, headers=KEY).json
    secret = first.get("token") or first["secret"]
    assert secret not in stored_texts()
    assert first["name"] not in stored_texts()
    assert alice.post(path, json=body, headers=KEY).json == first


def test_a_weaker_token_does_not_get_a_stronger_ones_secret(make_person) -> None:
    from speakr.services.accounts import tokens

    person = make_person("root", is_admin=True, scopes=frozenset(Scope))
    with unit_of_work():
        _, weaker = tokens.create(person.id, scopes=DEFAULT_SCOPES)
    body = {"scopes": ["admin", "read"]}
    assert person.post("/api/v1/tokens", json=body, headers=KEY).status_code == 201
    answer = person.client.post("/api/v1/tokens", json=body, headers={**KEY, "X-API-Token": weaker})
    assert (answer.status_code, answer.json["code"]) == (400, "idempotency_key_reused")


def test_a_response_encrypted_with_a_lost_key_is_reported_as_done(alice: Person, monkeypatch) -> None:
    alice.post("/api/v1/tokens", json={}, headers=KEY)
    with unit_of_work() as session:
        session.scalars(select(IdempotencyKey)).one().response_body = {"sealed": "of another key"}
    answer = alice.post("/api/v1/tokens", json={}, headers=KEY)
    assert (answer.status_code, answer.json["code"]) == (409, "idempotency_answer_lost")
    assert count(ApiToken) == 2


# -- failures


def test_a_refused_request_frees_its_key(alice: Person) -> None:
    assert alice.post("/api/v1/webhooks", json={"name": ""}, headers=KEY).status_code == 400
    assert count(IdempotencyKey) == 0
    assert alice.post("/api/v1/webhooks", json=WEBHOOK, headers=KEY).status_code == 201


def test_a_failure_after_the_work_undoes_the_work(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """The view is done but its response cannot be stored: neither of the two may stay."""
    there = count(Webhook), count(Event)

    def fail(*_args: object) -> None:
        raise RuntimeError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(idempotency, "complete", fail)
        assert alice.post("/api/v1/webhooks", json=WEBHOOK, headers=KEY).status_code == 500
    assert (count(Webhook), count(Event)) == there
    assert alice.post("/api/v1/webhooks", json=WEBHOOK, headers=KEY).status_code == 201
    assert count(Webhook) == there[0] + 1


def test_no_worker_is_notified_of_work_that_was_rolled_back(
    alice: Person, upload, notifier, monkeypatch
) -> None:
    made = upload(alice).json["id"]
    with unit_of_work() as session:
        session.scalars(select(Job)).one().state = JobState.FAILED
    notifier.notifications.clear()

    def fail(*_args: object) -> None:
        raise RuntimeError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(idempotency, "complete", fail)
        assert alice.post(f"/api/v1/recordings/{made}/transcribe", headers=KEY).status_code == 500
    assert (notifier.notifications, count(Job)) == ([], 1)
    assert alice.post(f"/api/v1/recordings/{made}/transcribe", headers=KEY).status_code == 200
    assert (len(notifier.notifications), count(Job)) == (1, 2)
    assert alice.post(f"/api/v1/recordings/{made}/transcribe", headers=KEY).status_code == 200
    assert (len(notifier.notifications), count(Job)) == (1, 2)


def test_a_process_that_died_at_work_blocks_its_key_for_a_minute_only(alice: Person) -> None:
    with unit_of_work():
        held = idempotency.reserve(alice.id, KEY["Idempotency-Key"], "POST tokens.Tokens")
    busy = alice.post("/api/v1/tokens", json={}, headers=KEY)
    assert (busy.status_code, busy.json["code"]) == (409, "idempotency_in_flight")
    with unit_of_work() as session:
        row = session.get_one(IdempotencyKey, held.key_id)
        row.locked_until = row.locked_until - idempotency.HOLD
    assert alice.post("/api/v1/tokens", json={}, headers=KEY).status_code == 201
    assert alice.post("/api/v1/tokens", json={}, headers=KEY).headers[REPLAYED] == "true"
    assert count(ApiToken) == 2


def test_a_killed_process_frees_its_key_at_once_and_a_living_one_does_not(alice: Person) -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        name = processes.own_name()
        assert name is not None
        space = name.split(".")[0]
        started = processes._started(child.pid)
        with unit_of_work() as session:
            held = idempotency.reserve(alice.id, KEY["Idempotency-Key"], "POST native_webhooks.Webhooks")
            key = session.get_one(IdempotencyKey, held.key_id)
            key.holder = f"{space}.{child.pid}.{started}"
            operation = key.operation
        with pytest.raises(Conflict), unit_of_work():
            idempotency.reserve(alice.id, KEY["Idempotency-Key"], operation)
    finally:
        child.kill()
        child.wait()
    with unit_of_work():
        taken = idempotency.reserve(alice.id, KEY["Idempotency-Key"], operation)
    assert taken.key_id == held.key_id
    with pytest.raises(Conflict), unit_of_work():
        idempotency.complete(held, "", 200, {})


@pytest.mark.parametrize("name", [None, "", "elsewhere.1.1", "x.y", "..", "a.b.c"])
def test_of_other_machines_processes_nothing_is_known(name: str | None) -> None:
    assert not processes.has_ended(name)
    assert not processes.has_ended(processes.own_name())


def test_who_waits_for_a_model_keeps_its_key_for_longer(alice: Person, upload) -> None:
    made = upload(alice).json["id"]
    with unit_of_work() as session:
        held = idempotency.reserve(alice.id, KEY["Idempotency-Key"], "POST chat.Chat", idempotency.LONG_HOLD)
        row = session.get_one(IdempotencyKey, held.key_id)
        row.locked_until = row.locked_until - idempotency.HOLD
    answer = alice.post(f"/api/v1/recordings/{made}/chat", json={"message": "Who?"}, headers=KEY)
    assert (answer.status_code, answer.json["code"]) == (409, "idempotency_in_flight")


def test_who_was_overtaken_keeps_nothing(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request exceeded its reservation, and another one with its key finished first."""
    from speakr.services.accounts import tokens

    create = tokens.create_for

    def slow(*args: Any, **kwargs: Any) -> Any:
        made = create(*args, **kwargs)
        db.session.scalars(select(IdempotencyKey)).one().owner = "somebody else"
        return made

    monkeypatch.setattr(tokens, "create_for", slow)
    answer = alice.post("/api/v1/tokens", json={}, headers=KEY)
    assert (answer.status_code, answer.json["code"]) == (409, "idempotency_in_flight")
    assert count(ApiToken) == 1


def test_twelve_at_once_make_one(app: Flask, alice: Person) -> None:
    answers: list[Any] = []
    ready = threading.Barrier(12)
    release()

    def send() -> None:
        client = app.test_client()
        ready.wait()
        answers.append(
            client.post(
                "/api/v1/webhooks", json=WEBHOOK, headers={"Authorization": f"Bearer {alice.token}", **KEY}
            )
        )

    threads = [threading.Thread(target=send) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.data for answer in answers if answer.status_code == 201}) == 1
    assert (
        len([answer for answer in answers if answer.status_code == 201 and REPLAYED not in answer.headers])
        == 1
    )
    assert count(Webhook) == 1


def test_a_replayed_upload_says_so(alice: Person, upload) -> None:
    first, second = upload(alice, headers=KEY), upload(alice, headers=KEY)
    assert REPLAYED not in first.headers
    assert (second.headers[REPLAYED], second.json) == ("true", first.json)
