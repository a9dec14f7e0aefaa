"""Figures for dashboards, and the ready configuration for gethomepage."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import yaml
from flask import Flask
from sqlalchemy import update

from speakr.api.openapi import document
from speakr.db import unit_of_work
from speakr.domain.clock import now
from speakr.domain.jobs import JobState
from speakr.domain.permissions import Scope
from speakr.models import Job, Recording
from speakr.services.system import stats
from tests.conftest import Person

STATS = "/api/v1/stats"
HOMEPAGE = "/api/v1/stats/homepage.yaml"


def set_jobs(person: Person, **values: object) -> None:
    with unit_of_work() as session:
        session.execute(update(Job).where(Job.user_id == person.id).values(**values))
    stats.forget()


def test_the_longest_wait_is_that_of_the_oldest_queued_job(alice: Person, bob: Person, upload) -> None:
    assert alice.get(STATS).json["queue"]["oldest_waiting_seconds"] == 0
    upload(alice)
    set_jobs(alice, queued_at=now() - timedelta(hours=1))
    upload(alice, filename="later.wav")
    stats.forget()
    assert 3600 <= alice.get(STATS).json["queue"]["oldest_waiting_seconds"] < 3700
    assert bob.get(STATS).json["queue"]["oldest_waiting_seconds"] == 0


@pytest.mark.parametrize(
    "values",
    [
        {"state": JobState.RUNNING},
        {"state": JobState.SUCCEEDED},
        {"not_before": now() + timedelta(days=1)},
    ],
    ids=["running", "done", "pausing before its next try"],
)
def test_what_runs_is_done_or_may_not_start_yet_does_not_wait(alice: Person, upload, values: dict) -> None:
    upload(alice)
    set_jobs(alice, queued_at=now() - timedelta(hours=1), **values)
    assert alice.get(STATS).json["queue"]["oldest_waiting_seconds"] == 0


def test_the_last_transcription_is_shown_in_words_too(alice: Person, upload) -> None:
    assert alice.get(STATS).json["activity"]["last_transcription_human"] == "never"
    upload(alice)
    with unit_of_work() as session:
        session.execute(update(Recording).values(completed_at=now() - timedelta(hours=2, minutes=5)))
    stats.forget()
    activity = alice.get(STATS).json["activity"]
    assert activity["last_transcription_human"] == "2 hours ago"
    assert activity["last_transcription"].endswith("Z")


@pytest.mark.parametrize(
    ("passed", "words"),
    [
        (timedelta(seconds=-5), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(seconds=60), "1 minute ago"),
        (timedelta(minutes=59, seconds=59), "59 minutes ago"),
        (timedelta(hours=1), "1 hour ago"),
        (timedelta(hours=47), "1 day ago"),
        (timedelta(days=400), "400 days ago"),
    ],
)
def test_ages_in_words(passed: timedelta, words: str) -> None:
    moment = now()
    assert stats.human_age(moment - passed, moment) == words


def test_the_configuration_names_this_server_and_numbers_that_exist(alice: Person) -> None:
    answer = alice.get(HOMEPAGE, base_url="https://notes.example.com/")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/yaml; charset=utf-8"
    (group,) = yaml.safe_load(answer.text)
    numbers, newest = (next(iter(service.values())) for service in group["Recordings"])
    assert numbers["href"] == "https://notes.example.com"
    assert numbers["widget"]["url"] == "https://notes.example.com/api/v1/stats"
    assert newest["widget"]["url"] == "https://notes.example.com/api/v1/recordings?per_page=5"
    assert {each["widget"]["headers"]["Authorization"] for each in (numbers, newest)} == {"Bearer your-token"}
    assert alice.token not in answer.text
    body = alice.get(STATS).json
    for mapping in numbers["widget"]["mappings"]:
        room, _, key = mapping["field"].partition(".")
        assert body[room][key] is not None


class TestBehindAProxy:
    @pytest.fixture
    def settings(self, settings):
        return replace(settings, public_url='https://notes.example.com/sub: "path" #')

    def test_the_public_address_counts_and_cannot_break_the_file(self, alice: Person) -> None:
        (group,) = yaml.safe_load(alice.get(HOMEPAGE).text)
        assert group["Recordings"][0]["Speakr"]["href"] == 'https://notes.example.com/sub: "path" #'


def test_the_configuration_is_for_those_who_may_read(app: Flask, make_person) -> None:
    assert app.test_client().get(HOMEPAGE).status_code == 401
    writer = make_person("writer", scopes=frozenset({Scope.WRITE}))
    assert writer.get(HOMEPAGE).json["code"] == "scope_missing"


def test_the_configuration_is_described_as_what_it_is(app: Flask) -> None:
    operation = document(app)["paths"]["/stats/homepage.yaml"]["get"]
    assert list(operation["responses"]["200"]["content"]) == ["text/yaml"]
