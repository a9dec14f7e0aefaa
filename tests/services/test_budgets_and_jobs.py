"""Asking for work while other work ends: neither waits for what the other holds."""

from __future__ import annotations

import threading

import pytest
from flask import Flask
from sqlalchemy import select

from speakr.db import unit_of_work
from speakr.models import Recording
from speakr.services.accounts import budgets, usage
from tests.conftest import Person


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # SQLite has one writer
def test_a_job_that_ends_is_counted_while_its_owner_asks_for_more(app: Flask, alice: Person, upload) -> None:
    recording_id = upload(alice).json["id"]
    mine = select(Recording).where(Recording.id == recording_id).with_for_update(key_share=True)
    is_held, is_asked, is_counted = threading.Event(), threading.Event(), threading.Event()

    def end_a_job() -> None:
        with app.app_context(), unit_of_work() as session:
            session.scalars(mine).one()
            is_held.set()
            assert is_asked.wait(10)
            usage.add(alice.id, tokens=5)
            is_counted.set()

    ending = threading.Thread(target=end_a_job)
    ending.start()
    with unit_of_work() as session:
        budgets.admit_transcription(alice.id, seconds=1.0)
        assert is_held.wait(10)
        is_asked.set()
        counted_at_once = is_counted.wait(10)
        if counted_at_once:
            session.scalars(mine).one()
    ending.join(20)
    assert counted_at_once
    with unit_of_work():
        assert usage.this_month(alice.id)[0] == 5
