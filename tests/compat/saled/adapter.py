"""Saled shows the text and the duration of recordings; its jobs have no titles, and it edits nothing."""

from __future__ import annotations

import requests

from tests.compat.adapters import Adapter, Shown
from tests.compat.saled.jobs import job_ids
from tests.intake.server import ALICE, IntakeServer

_API = "/saled/api/transcribe"


def _upload(server: IntakeServer, audio: bytes, title: str) -> int:
    answer: requests.Response = server.request("POST", f"{_API}/", files={"file": ("a.wav", audio)})
    assert answer.status_code == 200, answer.text
    number = next(id_ for id_, job in job_ids(server, ALICE).items() if job == answer.json()["job_id"])
    # The upload has no field for a title.
    named = server.request("PATCH", f"/api/v1/recordings/{number}", json={"title": title})
    assert named.status_code == 200, named.text
    return number


def _show(server: IntakeServer, recording_id: int) -> Shown:
    result = server.get(f"{_API}/result/{job_ids(server, ALICE)[recording_id]}")
    return Shown(None, result["text"], result["audio_duration"])


def _listed(server: IntakeServer) -> set[int]:
    jobs = {job["job_id"] for job in server.get(f"{_API}/jobs")["jobs"]}
    return {number for number, job in job_ids(server, ALICE).items() if job in jobs}


ADAPTER = Adapter(
    name="saled",
    upload=_upload,
    show=_show,
    listed=_listed,
    settings={"SPEAKR_UNAUTHENTICATED_USER": "alice"},
)
