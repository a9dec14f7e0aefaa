"""OpenAI's own Python client against a live server with a worker and real speech."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
import requests

from tests.conftest import multipart
from tests.crash.deployment import children_of
from tests.docs.pages import blocks, read
from tests.docs.test_commands import differences
from tests.intake.server import ALICE, IntakeServer, wait_for

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]

DATA = Path(__file__).parents[2] / "connectors" / "data"
SHORT, READER = DATA / "goforward.flac", DATA / "librivox_0870.flac"
LONG = Path(__file__).parents[3] / "speakr" / "sample" / "sense_and_sensibility.flac"
"""Seventeen seconds of the reader of `READER`."""
PATH = "/v1/audio/transcriptions"


class Live:
    """A server with one worker."""

    def __init__(self, server: IntakeServer) -> None:
        self.server = server
        self.worker = server.start_worker()
        self._http = httpx.Client(trust_env=False, timeout=300)

    def client(self, key: str = ALICE, **options: Any) -> openai.OpenAI:
        return openai.OpenAI(
            api_key=key,
            base_url=f"http://127.0.0.1:{self.server.port}/v1",
            http_client=self._http,
            **options,
        )

    def close(self) -> None:
        self._http.close()

    def jobs(self) -> list[dict[str, Any]]:
        jobs: list[dict[str, Any]] = self.server.get("/api/v1/jobs")["jobs"]
        return jobs

    def post(self, path: str, file: Path, **fields: str) -> requests.Response:
        body, content_type = multipart(file.read_bytes(), file.name, {"model": "whisper-1", **fields})
        return self.server.request("POST", path, data=body, headers={"Content-Type": content_type})


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with IntakeServer(tmp_path_factory.mktemp("openai")) as server:
        found = Live(server)
        yield found
        found.close()


def test_a_file_is_transcribed_in_every_format(live: Live) -> None:
    create = live.client().audio.transcriptions.create
    plain = create(model="whisper-1", file=SHORT)
    assert "forward" in plain.text.lower()
    verbose = create(
        model="whisper-1",
        file=SHORT,
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
    )
    assert verbose.language == "english"
    assert verbose.segments is not None
    assert verbose.words is not None
    assert 0 <= verbose.words[0].start < verbose.words[0].end <= verbose.duration
    diarized = create(model="gpt-4o-transcribe-diarize", file=SHORT, response_format="diarized_json")
    assert [segment.speaker for segment in diarized.segments] == ["A"]
    for form, begin in (("text", plain.text), ("srt", "1\n00:00:0"), ("vtt", "WEBVTT\n")):
        answer = create(model="whisper-1", file=SHORT, response_format=form)  # type: ignore[call-overload] # one of three
        assert str(answer).startswith(begin)
    kept = live.server.kept()
    assert (kept.rows["recordings"], kept.blobs) == (0, frozenset())


def test_a_stream_brings_words_before_the_work_is_done(live: Live) -> None:
    text, done, states = "", "", []
    for event in live.client().audio.transcriptions.create(model="gpt-4o-transcribe", file=LONG, stream=True):
        if event.type == "transcript.text.delta":
            states.append(live.jobs()[0]["state"])
            text += event.delta
        elif event.type == "transcript.text.done":
            done = event.text
    assert states[0] == "running"
    assert len(done) > 100
    assert text.split()[:5] == done.split()[:5]


def test_a_known_speaker_is_named(live: Live) -> None:
    reference = f"data:audio/flac;base64,{base64.b64encode(READER.read_bytes()).decode()}"
    answer = live.client().audio.transcriptions.create(
        model="gpt-4o-transcribe-diarize",
        file=LONG,
        response_format="diarized_json",
        known_speaker_names=["Reader"],
        known_speaker_references=[reference],
    )
    assert {segment.speaker for segment in answer.segments} == {"Reader"}
    other = live.client().audio.transcriptions.create(
        model="gpt-4o-transcribe-diarize",
        file=SHORT,
        response_format="diarized_json",
        known_speaker_names=["Reader"],
        known_speaker_references=[reference],
    )
    assert {segment.speaker for segment in other.segments} == {"A"}


def test_failures_are_the_clients_own_exceptions(live: Live) -> None:
    client = live.client(max_retries=0)
    with pytest.raises(openai.AuthenticationError) as refused:
        live.client(key="wrong", max_retries=0).models.list()
    assert refused.value.code == "invalid_api_key"
    with pytest.raises(openai.NotFoundError) as missing:
        client.audio.transcriptions.create(model="gpt-9", file=SHORT)
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as wrong:
        client.audio.transcriptions.create(model="whisper-1", file=("a.mp3", b"no sound"))
    assert wrong.value.code == "not_media"
    with pytest.raises(openai.BadRequestError), pytest.deprecated_call():
        client.audio.translations.create(model="whisper-1", file=SHORT)
    assert "whisper-1" in [model.id for model in client.models.list()]
    assert client.models.retrieve("whisper-1").id == "whisper-1"


def test_a_chunked_body_without_a_length_and_with_its_file_first(live: Live) -> None:
    body, content_type = multipart(SHORT.read_bytes(), "a.flac", {})
    end = body.rindex(b"--", 0, len(body) - 4)
    boundary = content_type.partition("boundary=")[2].encode()
    option = b'--%s\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n' % boundary
    whole = body[:end] + option + body[end:]

    def pieces() -> Iterator[bytes]:
        for at in range(0, len(whole), 5000):
            yield whole[at : at + 5000]

    headers = {"Content-Type": content_type, "Accept": "application/json"}
    answer = live.server.request("POST", PATH, data=pieces(), headers=headers)
    assert answer.status_code == 200, answer.text
    assert "forward" in answer.json()["text"].lower()


def test_a_client_that_goes_away_stops_the_work(live: Live) -> None:
    body, content_type = multipart(LONG.read_bytes(), "a.flac", {"model": "whisper-1"})
    before = len(live.jobs())
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {ALICE}\r\n"
        f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with live.server.connect() as connection:
        connection.sendall(head.encode() + body)
        wait_for(lambda: len(live.jobs()) == before + 1, "the job is queued")
    wait_for(lambda: live.jobs()[0]["state"] == "cancelled", "the job is cancelled")
    wait_for(lambda: not live.server.kept().blobs, "its file is deleted")


def test_a_clip_survives_the_death_of_its_worker_process(live: Live) -> None:
    answers: list[requests.Response] = []
    before = len(live.jobs())
    request = threading.Thread(target=lambda: answers.append(live.post(PATH, LONG)))
    request.start()
    wait_for(lambda: len(live.jobs()) > before and live.jobs()[0]["state"] == "running", "a worker has it")
    for horse in children_of(live.worker.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(horse, signal.SIGKILL)
    request.join(timeout=240)
    assert answers[0].status_code == 200, answers[0].text
    assert len(answers[0].json()["text"]) > 100


def test_a_clip_comes_before_recordings_that_wait(live: Live) -> None:
    uploads = [live.server.upload(LONG.read_bytes(), f"{at}.flac").json()["id"] for at in range(3)]
    assert live.post(PATH, SHORT).status_code == 200
    statuses = [live.server.get(f"/api/v1/recordings/{each}")["status"] for each in uploads]
    for each in uploads:  # other tests look at what is stored
        assert live.server.request("DELETE", f"/api/v1/recordings/{each}").ok
    assert "PENDING" in statuses
    wait_for(lambda: not live.server.kept().blobs, "their files are deleted")


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl to run it")
def test_the_commands_of_the_page_do_what_it_shows(live: Live, tmp_path: Path) -> None:
    (tmp_path / "meeting.flac").write_bytes(SHORT.read_bytes())
    found = blocks(read("compat/openai.md"))
    commands = 0
    for block, following in zip(found, [*found[1:], None], strict=True):
        if block.language != "sh":
            continue
        done = subprocess.run(
            ["/bin/sh", "-c", 'curl() { command curl -sS "$@"; }\n' + block.text],
            env={
                "PATH": os.environ["PATH"],
                "api": f"http://127.0.0.1:{live.server.port}/v1",
                "auth": f"Authorization: Bearer {ALICE}",
            },
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=200,
            check=True,
        )
        commands += 1
        if following is not None and following.language == "json":
            assert list(differences(json.loads(following.text), json.loads(done.stdout))) == []
        else:
            assert "error" not in done.stdout
    assert commands == 5
