"""Another user's ids lead nowhere, and no id can be guessed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from speakr.services.accounts import opaque_ids
from tests.conftest import Person


@pytest.fixture
def others(send: Callable[..., Any], client: FlaskClient, bob: Person, work: Callable[[], None]) -> Any:
    """Ids of a recording and a summary of Bob's."""
    token = {"Authorization": f"Bearer {bob.token}"}
    job = send(headers=token).json["job_id"]
    summary = client.post("/saled/api/summary/", json={"full_text": "A secret plan."}, headers=token)
    work()
    assert "heard" in client.get(f"/saled/api/transcribe/result/{job}", headers=token).json["text"]
    return job, summary.json["job_id"]


def test_a_strangers_ids_show_nothing(client: FlaskClient, others: tuple[str, str]) -> None:
    job, summary = others
    for path in (
        f"transcribe/result/{job}",
        f"transcribe/debug/{job}",
        f"summary/{summary}",
        f"summary/status/{summary}",
        f"summary/{job}",
        f"transcribe/result/{summary}",
    ):
        answer = client.get(f"/saled/api/{path}")
        assert answer.status_code == 404, path
        assert "heard" not in json.dumps(answer.json)
    status = client.get(f"/saled/api/transcribe/status/{job}").json
    assert (status["status"], status["progress"]) == ("not_found", 0)
    body = {"segment_id": "a", "start_time": 0.1, "end_time": 0.9}
    answer = client.post(f"/saled/api/retranslate/segment-from-full?job_id={job}", json=body)
    assert answer.status_code == 404


@pytest.mark.on_sqlite
def test_ids_are_read_back_and_only_for_their_kind(app: Flask) -> None:
    for number in (1, 2, 4711, 2**31 - 1, 2**32 - 1):
        made = opaque_ids.encode("recording", number)
        assert opaque_ids.decode("recording", made) == number
        assert opaque_ids.decode("recording", made.upper()) == number
        assert opaque_ids.decode("summary", made) is None


@pytest.mark.on_sqlite
def test_changed_ids_lead_nowhere(app: Flask) -> None:
    made = opaque_ids.encode("recording", 7)
    for place, digit in enumerate(made):
        if digit != "-":
            other = "0" if digit != "0" else "1"
            assert opaque_ids.decode("recording", made[:place] + other + made[place + 1 :]) is None
    for text in ("", "7", "x" * 1000, "{}", "00000000-0000-8000-8000-000000000000"):
        assert opaque_ids.decode("recording", text) is None
