"""Users who delete and cancel while workers are busy."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.crash import speech
from tests.crash.deployment import Deployment, wait_for
from tests.crash.provider import Provider

pytestmark = pytest.mark.stack


def test_a_running_job_that_is_cancelled_stops(
    deployment: Deployment, provider: Provider, assert_sent_once: Callable[..., None]
) -> None:
    provider.hold_after(2)
    recording = deployment.upload(speech.long_recording())
    provider.wait_for(4)
    answer = deployment.call("POST", f"/jobs/{deployment.job(recording)['id']}/cancel")
    assert answer.json()["state"] == "running", "it stops at its next breath"
    provider.go_on()
    cancelled = time.monotonic()
    deployment.wait_until_done(recording, status="FAILED")
    assert time.monotonic() - cancelled < 5
    assert deployment.get(f"/recordings/{recording}")["error_message"] == "Processing was cancelled."
    assert deployment.job(recording)["state"] == "cancelled"
    assert sum(provider.counts().values()) == 4, "somebody went on"
    assert_sent_once(recording, "recording.transcription.failed")
    deployment.wait_until_done(deployment.upload(speech.short_recording()))


def test_a_recording_deleted_during_transcription_leaves_nothing(
    deployment: Deployment, provider: Provider, assert_sent_once: Callable[..., None]
) -> None:
    blobs = deployment.blobs("audio")
    provider.hold_after(2)
    recording = deployment.upload(speech.long_recording())
    provider.wait_for(4)
    assert deployment.call("DELETE", f"/recordings/{recording}").status_code == 200
    assert deployment.call("GET", f"/recordings/{recording}").status_code == 404
    provider.go_on()
    deployment.wait_until_done(deployment.upload(speech.short_recording()))
    assert sum(provider.counts().values()) == 5, "somebody went on"
    assert deployment.rows("SELECT id FROM segments WHERE recording_id = :id", id=recording) == []
    assert deployment.rows("SELECT id FROM jobs WHERE recording_id = :id", id=recording) == []
    wait_for(lambda: len(deployment.blobs("audio")) == len(blobs) + 1, "its audio gone")
    assert_sent_once(recording, "recording.deleted")
    assert "recording.transcription.completed" not in deployment.event_types(recording)
