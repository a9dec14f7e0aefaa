"""A key belongs to its upload for as long as bytes arrive, however slowly."""

from __future__ import annotations

import io
from datetime import datetime

import pytest
from flask import Flask
from sqlalchemy import select

from speakr.api import idempotent
from speakr.db import db
from speakr.models import IdempotencyKey
from tests.conftest import Person, multipart, wav


class Trickle(io.BytesIO):
    """A body that notes at every block how long its key is held."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.held_until: list[datetime] = []

    def readinto(self, buffer) -> int:
        with db.engine.connect() as connection:
            self.held_until.append(connection.scalar(select(IdempotencyKey.locked_until)))
        return super().readinto(buffer)


def test_a_slow_upload_keeps_its_key(app: Flask, alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idempotent, "_PROLONG_EVERY_SECONDS", 0.0)
    body, content_type = multipart(wav(30.0), "slow.wav", {})
    trickle = Trickle(body)
    answer = alice.post(
        "/api/v1/recordings/upload",
        input_stream=trickle,
        content_length=len(body),
        content_type=content_type,
        headers={"Idempotency-Key": "slow"},
    )
    assert answer.status_code == 202
    assert len(trickle.held_until) > 3
    held = trickle.held_until[:4]
    assert held == sorted(set(held)), "each block of the file prolongs it"
