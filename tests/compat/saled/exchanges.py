"""What a client of Saled asks, and is answered."""

from __future__ import annotations

from typing import Any

from tests.compat.exchanges import Exchange, upload
from tests.compat.saled.jobs import job_ids
from tests.crash.speech import short_recording
from tests.intake.server import ALICE, BOB, IntakeServer, wait_for

SETTINGS = {"SPEAKR_UNAUTHENTICATED_USER": "alice"}
_TRANSCRIBE = "/saled/api/transcribe"
_TEXT = "The new server costs nine thousand euros. Bob will order it tomorrow."
_UNKNOWN = "5f9b6f0e-3a51-4f6f-9f0c-0d7c6f4f2b11"
_RANGE = {"segment_id": "seg-1", "start_time": 0.1, "end_time": 1.5}


def prepare(server: IntakeServer) -> dict[str, str]:
    """Upload a recording and let a text be summarised."""
    number = upload(server, short_recording(), title="Ten metres")
    summary = server.request("POST", "/saled/api/summary/", json={"full_text": _TEXT, "format": "key_points"})
    path = f"/saled/api/summary/status/{summary.json()['job_id']}"
    wait_for(lambda: server.get(path)["status"] == "completed", "the summary is written")
    assert job_ids(server, BOB) == {}
    return {"job": job_ids(server, ALICE)[int(number)], "summary": summary.json()["job_id"]}


def _get(title: str, path: str, **more: Any) -> Exchange:
    return Exchange(title=title, path=path, headers=more.pop("headers", {}), **more)


def _post(title: str, path: str, **more: Any) -> Exchange:
    return _get(title, path, method="POST", **more)


_TIMES = {"updated_at": 1796030100.25, "timestamp": 1796030100.25}

EXCHANGES = [
    _get("Is the server well", "/saled/health", masks=_TIMES),
    _get("What is there", "/saled/", masks={"version": "1.0.0"}),
    _get("Models for speech", f"{_TRANSCRIBE}/models"),
    _get("Jobs", f"{_TRANSCRIBE}/jobs", masks=_TIMES),
    _get("State of a job", f"{_TRANSCRIBE}/status/{{job}}", masks=_TIMES),
    _get("State of an unknown job", f"{_TRANSCRIBE}/status/{_UNKNOWN}", masks=_TIMES),
    _get("Transcript", f"{_TRANSCRIBE}/result/{{job}}"),
    _get("What is stored of a job", f"{_TRANSCRIBE}/debug/{{job}}", masks=_TIMES),
    _get("A job of another user", f"{_TRANSCRIBE}/result/{{job}}", headers={"Authorization": "Bearer {other_token}"}),
    _post("Transcribe a range again", "/saled/api/retranslate/segment-from-full?job_id={job}", json=_RANGE),
    _post(
        "A range that ends before it begins",
        "/saled/api/retranslate/segment-from-full?job_id={job}",
        json={**_RANGE, "start_time": 2},
    ),
    _post("An upload without a file", f"{_TRANSCRIBE}/", form={"model_name": "tiny.en"}),
    _get("State of a summary", "/saled/api/summary/status/{summary}"),
    _get("Summary", "/saled/api/summary/{summary}"),
    _post("A summary in a format that does not exist", "/saled/api/summary/", json={"full_text": _TEXT, "format": "poem"}),
    _get("Models for chat", "/saled/api/chat/models"),
    _post(
        "Ask about a text",
        "/saled/api/chat/",
        json={"full_text": _TEXT, "messages": [{"role": "user", "content": "What does the server cost?"}]},
    ),
    _get("A wrong token", f"{_TRANSCRIBE}/jobs", headers={"Authorization": "Bearer wrong"}),
    _get("A path that does not exist", "/saled/api/translate"),
    _post("A method that does not exist", f"{_TRANSCRIBE}/jobs", json={}),
]  # fmt: skip
