"""Jobs and live streams follow the share."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Flask

from speakr.backends import Backends
from speakr.domain.jobs import JobKind
from speakr.domain.recordings import RecordingStatus
from speakr.models import (
    Recording,
    User,
)
from tests.conftest import Person
from tests.sharing.conftest import R, change, job_of


def test_jobs_of_a_shared_recording_are_listed_when_asked_for(
    bob: Person, make_person, recording: int, share
) -> None:
    share(bob)
    job = str(job_of(recording))
    assert [row["id"] for row in bob.get(f"/api/v1/jobs?recording_id={recording}").json["jobs"]] == [job]
    assert bob.get("/api/v1/jobs").json["jobs"] == []
    stranger = make_person("mallory")
    assert stranger.get(f"/api/v1/jobs?recording_id={recording}").json["jobs"] == []


def test_an_editor_cancels_and_a_viewer_does_not(
    app: Flask, alice: Person, bob: Person, make_person, upload
) -> None:
    recording = upload(alice).json["id"]
    job, viewer = job_of(recording), make_person("viewer")
    alice.post(f"{R}/{recording}/shares", json={"user_id": bob.id, "can_edit": True})
    alice.post(f"{R}/{recording}/shares", json={"user_id": viewer.id})
    assert viewer.post(f"/api/v1/jobs/{job}/cancel").status_code == 403
    assert bob.post(f"/api/v1/jobs/{job}/cancel").json["state"] == "cancelled"
    fresh = bob.post(f"/api/v1/jobs/{job}/retry")
    assert (fresh.status_code, fresh.json["kind"]) == (202, JobKind.TRANSCRIBE)


def test_a_stream_ends_with_the_share(
    app: Flask, alice: Person, bob: Person, recording: int, share, backends: Backends
) -> None:
    change(Recording, recording, status=RecordingStatus.PROCESSING)
    backends.live.forget(recording)
    share_id = share(bob)
    events = _watch(bob, recording)
    assert next(events)[0] == "status"
    backends.live.publish(recording, "segment", {"text": "For Bob"})
    assert next(events) == ("segment", '{"text":"For Bob"}')
    alice.delete(f"{R}/{recording}/shares/{share_id}")
    backends.live.publish(recording, "segment", {"text": "Not for Bob"})
    assert list(events) == [("deleted", f'{{"id":{recording}}}')]


def test_a_stream_ends_with_its_token(app: Flask, alice: Person, recording: int, backends: Backends) -> None:
    change(Recording, recording, status=RecordingStatus.PROCESSING)
    backends.live.forget(recording)
    events = _watch(alice, recording)
    assert next(events)[0] == "status"
    change(User, alice.id, is_active=False)
    backends.live.publish(recording, "segment", {"text": "Not any more"})
    assert [kind for kind, _ in events] == ["deleted"]


def _watch(person: Person, recording: int) -> Iterator[tuple[str, str]]:
    headers = {"Authorization": f"Bearer {person.token}"}
    answer = person.client.get(f"{R}/{recording}/live", headers=headers)
    for message in answer.response:
        lines = dict(line.split(": ", 1) for line in message.decode().splitlines() if line)
        if "event" in lines:
            yield lines["event"], lines["data"]
