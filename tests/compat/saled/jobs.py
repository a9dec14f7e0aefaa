"""The jobs of Saled and the recordings of the native API: both lists are sorted by age."""

from __future__ import annotations

from tests.intake.server import IntakeServer


def job_ids(server: IntakeServer, token: str) -> dict[int, str]:
    """Return the job of each recording."""
    recordings = server.get("/api/v1/recordings?per_page=100", token=token)["recordings"]
    jobs = server.get("/saled/api/transcribe/jobs", token=token)["jobs"]
    assert len(jobs) == len(recordings)
    return {each["id"]: job["job_id"] for each, job in zip(recordings, jobs, strict=True)}
