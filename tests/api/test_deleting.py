"""Deletion: everything that belongs to a recording is gone and stays gone."""

from __future__ import annotations

from flask import Flask
from sqlalchemy import select

from speakr.backends import Backends
from speakr.db import db
from speakr.models import Event
from tests.conftest import Person


def test_deleting_takes_the_bytes_along(app: Flask, alice: Person, upload, backends: Backends) -> None:
    made = upload(alice).json["id"]
    assert len(list(backends.storage.keys("audio"))) == 1
    assert alice.delete(f"/api/v1/recordings/{made}").json == {
        "success": True,
        "message": "Recording deleted",
    }
    assert list(backends.storage.keys("audio")) == []
    assert alice.get(f"/api/v1/recordings/{made}").status_code == 404
    assert alice.delete(f"/api/v1/recordings/{made}").status_code == 404
    last = db.session.scalars(select(Event).order_by(Event.id.desc())).first()
    assert last is not None
    assert (last.type.value, last.data["recording_id"]) == ("recording.deleted", made)


def test_an_id_is_never_used_twice(alice: Person, bob: Person, upload) -> None:
    first = upload(alice).json["id"]
    alice.delete(f"/api/v1/recordings/{first}")
    assert upload(bob).json["id"] > first
