"""Budgets and quotas: checked before the work, counted in its transaction, not exceeded by concurrent requests."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from speakr.db import db, unit_of_work
from speakr.models import Job, User
from speakr.services.accounts import usage
from speakr.services.system import system_settings
from tests.conftest import Person, wav
from tests.fakes import FakeWriter

Upload = Callable[..., Any]
Work = Callable[[], None]


def allow(person: Person, **limits: int | None) -> None:
    with unit_of_work() as session:
        user = session.get_one(User, person.id)
        for name, value in limits.items():
            setattr(user, name, value)


def test_the_storage_quota(alice: Person, upload: Upload) -> None:
    size = len(wav())
    allow(alice, storage_quota_bytes=2 * size)
    assert upload(alice).status_code == upload(alice).status_code == 202
    refused = upload(alice)
    assert (refused.status_code, refused.json["code"]) == (403, "storage_quota_exceeded")
    assert (refused.json["used_bytes"], refused.json["quota_bytes"]) == (2 * size, 2 * size)
    first = alice.get("/api/v1/recordings").json["recordings"][0]["id"]
    alice.delete(f"/api/v1/recordings/{first}")
    assert upload(alice).status_code == 202


def test_the_transcription_budget_counts_what_waits(alice: Person, upload: Upload) -> None:
    allow(alice, transcription_budget_seconds=3)
    first = upload(alice, wav(2.0)).json["id"]
    refused = upload(alice, wav(2.0))
    assert (refused.status_code, refused.json["code"]) == (403, "transcription_budget_exceeded")
    assert alice.get("/api/v1/recordings").json["pagination"]["total"] == 1
    # A repeated request for queued work costs nothing more.
    assert alice.post(f"/api/v1/recordings/{first}/transcribe").status_code == 200


def test_a_retried_transcription_must_fit_the_budget(alice: Person, upload: Upload) -> None:
    first = upload(alice, wav(2.0)).json["id"]
    job = alice.get(f"/api/v1/jobs?recording_id={first}").json["jobs"][0]["id"]
    alice.post(f"/api/v1/jobs/{job}/cancel")
    allow(alice, transcription_budget_seconds=1)
    refused = alice.post(f"/api/v1/jobs/{job}/retry")
    assert (refused.status_code, refused.json["code"]) == (403, "transcription_budget_exceeded")
    allow(alice, transcription_budget_seconds=3)
    assert alice.post(f"/api/v1/jobs/{job}/retry").status_code == 202
    # The work is queued now, so another retry costs nothing.
    assert alice.post(f"/api/v1/jobs/{job}/retry").status_code == 202


def test_transcribed_audio_is_counted_and_shown(alice: Person, upload: Upload, work: Work) -> None:
    allow(alice, transcription_budget_seconds=8)
    with unit_of_work():
        system_settings.put("cost_per_transcribed_minute", 0.6)
    recording = upload(alice, wav(4.0)).json["id"]
    work()
    numbers = alice.get("/api/v1/stats").json["transcription"]
    assert (numbers["used_this_month_seconds"], numbers["budget_seconds"], numbers["percentage"]) == (
        4,
        8,
        50.0,
    )
    assert numbers["estimated_cost"] == pytest.approx(0.04)
    assert alice.post(f"/api/v1/recordings/{recording}/transcribe").status_code == 200
    refused = upload(alice, wav(1.0))
    assert (refused.status_code, refused.json["code"]) == (403, "transcription_budget_exceeded")


def test_tokens(alice: Person, bob: Person, upload: Upload, work: Work, writer: FakeWriter) -> None:
    recording = upload(alice).json["id"]
    work()
    allow(alice, token_budget=100)
    with unit_of_work():
        usage.add(alice.id, tokens=100)  # beside the 15 of the summary
        usage.add(bob.id, tokens=5)
    for path, body in (
        ("summarize", {}),
        ("chat", {"message": "Who?"}),
        ("regenerate_title", {}),
        ("speakers/identify", {}),
    ):
        refused = alice.post(f"/api/v1/recordings/{recording}/{path}", json=body)
        assert (refused.status_code, refused.json["code"]) == (403, "token_budget_exceeded"), path
    assert writer.questions == []
    numbers = alice.get("/api/v1/stats").json["tokens"]
    assert (numbers["budget"], numbers["percentage"]) == (100, 115.0)


def test_a_summary_over_budget_fails_and_the_transcript_is_there(
    alice: Person, upload: Upload, work: Work, writer: FakeWriter
) -> None:
    allow(alice, token_budget=0)
    recording = upload(alice).json["id"]
    work()
    status = alice.get(f"/api/v1/recordings/{recording}/status").json
    assert status["status"] == "COMPLETED"
    (job,) = [job for job in alice.get("/api/v1/jobs").json["jobs"] if job["kind"] == "summarize"]
    assert (job["state"], job["error_code"]) == ("failed", "token_budget_exceeded")
    assert alice.get(f"/api/v1/recordings/{recording}/transcript").status_code == 200
    assert writer.requests == []


def test_an_engine_that_counts_no_tokens_needs_no_budget(
    alice: Person, upload: Upload, work: Work, writer: FakeWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "is_extractive", True)
    allow(alice, token_budget=0)
    recording = upload(alice).json["id"]
    work()
    assert alice.get(f"/api/v1/recordings/{recording}/summary").json["has_summary"] is True


def test_the_servers_defaults_apply_to_users_without_limits(
    alice: Person, bob: Person, upload: Upload, work: Work
) -> None:
    with unit_of_work():
        system_settings.put("default_transcription_budget_minutes", 0)
    allow(bob, transcription_budget_seconds=60)
    assert upload(alice).json["code"] == "transcription_budget_exceeded"
    assert upload(bob).status_code == 202
    assert alice.get("/api/v1/stats").json["transcription"]["budget_minutes"] == 0
    assert alice.get("/api/v1/stats").json["transcription"]["percentage"] == 0.0


def test_two_at_once_cannot_both_have_the_last_minute(app: Flask, alice: Person, upload: Upload) -> None:
    allow(alice, transcription_budget_seconds=5)
    start, codes = threading.Barrier(4), []

    def send(number: int) -> None:
        start.wait()
        codes.append(upload(alice, wav(3.0, frequency=200 + number)).status_code)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [202, 403, 403, 403]
    with app.app_context():
        assert db.session.query(Job).count() == 1
