"""The web process killed during uploads; the dispatcher killed while it sends."""

from __future__ import annotations

import socket
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from tests.crash import speech
from tests.crash.deployment import DISPATCHER, TOKEN, WEB, Deployment, wait_for
from tests.crash.subscriber import Subscriber

pytestmark = pytest.mark.stack

ONCE = ("recording.created", "recording.transcription.started", "recording.transcription.completed")


def test_web_killed_during_an_upload_leaves_no_half_recording(deployment: Deployment) -> None:
    audio = speech.long_recording()
    before = deployment.get("/recordings")["pagination"]["total"]
    blobs = deployment.blobs("audio")
    address = urlsplit(deployment.url)
    head = (
        f"POST /api/v1/recordings/upload HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {len(audio) + 90}\r\n\r\n"
        '--b\r\nContent-Disposition: form-data; name="file"; filename="x.wav"\r\n\r\n'
    )
    with socket.create_connection((address.hostname, address.port)) as client:
        client.sendall(head.encode() + audio[: len(audio) // 2])
        wait_for(deployment.half_written, "bytes on the disk")
        deployment.kill(WEB)
        assert client.recv(100) == b""
    deployment.start(WEB)
    deployment.wait_until_ready()
    assert deployment.get("/recordings")["pagination"]["total"] == before
    assert deployment.blobs("audio") == blobs
    deployment.wait_until_done(deployment.upload(audio))


def test_web_killed_right_after_its_answer_keeps_its_promise(
    deployment: Deployment, assert_sent_once: Callable[..., None]
) -> None:
    key = {"Idempotency-Key": "the one and only"}
    recording = deployment.upload(speech.short_recording(), headers=key)
    deployment.kill(WEB)
    deployment.start(WEB)
    deployment.wait_until_ready()
    deployment.wait_until_done(recording)
    assert deployment.upload(speech.short_recording(), headers=key) == recording
    assert_sent_once(recording, *ONCE)


def test_dispatcher_killed_while_it_sends_repeats_under_the_same_id(
    deployment: Deployment, subscriber: Subscriber
) -> None:
    subscriber.hold()
    recording = deployment.upload(speech.short_recording())
    try:
        wait_for(lambda: subscriber.ids(deployment, recording, "recording.created"), "a delivery under way")
        deployment.kill(DISPATCHER)
    finally:
        subscriber.answer()
    deployment.wait_until_done(recording)
    deployment.start(DISPATCHER)
    wait_for(lambda: subscriber.ids(deployment, recording, "recording.summary.completed"), "everything told")
    wait_for(
        lambda: list(subscriber.ids(deployment, recording, "recording.created").values()) == [2], "told again"
    )
    for event_type in ONCE[1:]:
        assert len(subscriber.ids(deployment, recording, event_type)) == 1
    query = "SELECT DISTINCT d.status FROM deliveries d JOIN events e ON e.uuid = d.event_uuid WHERE e.recording_id = :id"
    wait_for(
        lambda: [row.status for row in deployment.rows(query, id=recording)] == ["success"], "all settled"
    )
