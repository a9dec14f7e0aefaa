"""Saled against a server in real processes: a worker, real speech, and a WebSocket client."""

from __future__ import annotations

import concurrent.futures
import contextlib
import io
import itertools
import json
import re
import subprocess
import time
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest
import requests
from simple_websocket import Client, ConnectionClosed
from simple_websocket import ConnectionError as HandshakeRefused

from tests.intake.server import ALICE, BOB, IntakeServer, wait_for
from tests.support.sockets import WholeClient

pytestmark = pytest.mark.on_sqlite

SAMPLE = Path("speakr/sample/sense_and_sensibility.flac")
RATE = 16_000
MAX_SOCKETS = 32


def speech(seconds: float) -> bytes:
    """Return the sample, repeated to a length, as a WAV file."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    with av.open(str(SAMPLE)) as container:
        frames = [made for frame in container.decode(audio=0) for made in resampler.resample(frame)]
    samples = b"".join(bytes(frame.planes[0])[: frame.samples * 2] for frame in frames)
    wanted = int(seconds * RATE) * 2
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(RATE)
        writer.writeframes(b"".join(itertools.repeat(samples, wanted // len(samples) + 1))[:wanted])
    return file.getvalue()


class Saled:
    """A client of a running server, without a credential."""

    def __init__(self, server: IntakeServer, worker: subprocess.Popen[bytes]) -> None:
        self.server = server
        self._worker = worker
        self.base = f"http://127.0.0.1:{server.port}/saled"

    @contextlib.contextmanager
    def without_worker(self) -> Iterator[None]:
        """Let jobs wait meanwhile."""
        self._worker.terminate()
        self._worker.wait(timeout=60)
        try:
            yield
        finally:
            self._worker = self.server.start_worker()

    def post(self, path: str, **sent: Any) -> requests.Response:
        return requests.post(f"{self.base}{path}", timeout=90, **sent)

    def get(self, path: str) -> requests.Response:
        return requests.get(f"{self.base}{path}", timeout=90)

    def transcribe(self, data: bytes, **fields: str) -> str:
        files = {"file": ("a.wav", data, "application/octet-stream")}
        answer = self.post("/api/transcribe/", files=files, data=fields)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["job_id"])

    def connect(self, job: str, **headers: str) -> Client:
        url = f"ws://127.0.0.1:{self.server.port}/saled/api/transcribe/live/{job}"
        return WholeClient.connect(url, headers=headers)

    def frames(self, job: str, **headers: str) -> tuple[list[dict[str, Any]], int]:
        """Return all frames of a job, and the close code."""
        return rest_of(self.connect(job, **headers))


def rest_of(client: Client) -> tuple[list[dict[str, Any]], int]:
    found: list[dict[str, Any]] = []
    try:
        while (frame := client.receive(timeout=120)) is not None:
            found.append(json.loads(frame))
    except ConnectionClosed as closed:
        return found, int(closed.reason)
    raise AssertionError(f"no frame for two minutes after {found[-1:]}")


def statuses(frames: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [frame for frame in frames if frame.get("type") == "status"]


def segments(frames: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [frame for frame in frames if "type" not in frame]


@pytest.fixture(scope="module")
def saled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Saled]:
    settings = {"SPEAKR_UNAUTHENTICATED_USER": "alice", "SPEAKR_MAX_FILE_SIZE_MB": "20"}
    with IntakeServer(tmp_path_factory.mktemp("saled"), **settings) as server:
        worker = server.start_worker()
        yield Saled(server, worker)


Watched = tuple[str, list[dict[str, Any]], int]
"""A job, its frames from the upload to the end, and the close code."""


@pytest.fixture(scope="module")
def watched(saled: Saled) -> Watched:
    """A file of 70 s, watched until it is transcribed."""
    job = saled.transcribe(speech(70), diarize="false")
    frames, code = saled.frames(job)
    return job, frames, code


@pytest.fixture(scope="module")
def job(watched: Watched) -> str:
    """A transcribed file of 70 s."""
    return watched[0]


def test_frames_of_a_file_of_several_chunks(saled: Saled, watched: Watched) -> None:
    job, frames, code = watched
    assert code == 1000
    states = statuses(frames)
    assert frames[0] is states[0]
    assert set(states[0]) == {"type", "status", "message", "progress", "chunk_info"}
    assert set(states[0]["chunk_info"]) == {"current_chunk", "total_chunks", "chunk_progress"}
    progress = [frame["progress"] for frame in states]
    assert progress == sorted(progress)
    assert (frames[-1]["type"], frames[-1]["status"], frames[-1]["progress"]) == ("status", "completed", 100)
    shares = [
        (frame["chunk_info"]["current_chunk"], frame["chunk_info"]["chunk_progress"]) for frame in states
    ]
    assert shares == sorted(shares)
    assert any(0 < share < 100 for _, share in shares), shares
    assert shares[-1] == (states[-1]["chunk_info"]["total_chunks"], 100)
    chunks = [int(found[1]) for each in states if (found := re.search(r"chunk (\d+)/\d+", each["message"]))]
    assert {1, 2} <= set(chunks), states
    assert chunks == sorted(chunks)
    said = segments(frames)
    assert said
    assert all(each["text"].strip() for each in said)
    assert all(re.fullmatch(r"SPEAKER_\d+", each["speaker"]) for each in said)
    result = saled.get(f"/api/transcribe/result/{job}").json()
    assert result["text"] == " ".join(each["text"] for each in result["segments"])
    assert abs(result["audio_duration"] - 70) < 0.2
    assert "John Dashwood" in result["text"]
    assert all(re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3}", each["end_display"]) for each in result["segments"])
    # Who comes later gets the same.
    again, code = saled.frames(job)
    assert code == 1000
    assert [each["text"] for each in segments(again)] == [each["text"] for each in said]
    assert again[-1]["progress"] == 100


def test_a_recording_is_shown_natively(saled: Saled, job: str) -> None:
    text = saled.get(f"/api/transcribe/result/{job}").json()["text"]

    def native_texts() -> list[str]:
        found = []
        for recording in saled.server.get("/api/v1/recordings?status=COMPLETED")["recordings"]:
            shown = saled.server.get(f"/api/v1/recordings/{recording['id']}/transcript")["segments"]
            found.append(" ".join(each["sentence"] for each in shown))
        return found

    # The recording is complete once its summary is written, too.
    wait_for(lambda: text in native_texts(), "the text in the native API", 120)


def test_frames_of_two_jobs_do_not_mix(saled: Saled) -> None:
    jobs = [saled.transcribe(speech(seconds), diarize="false") for seconds in (17, 8)]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        (first, _), (second, _) = pool.map(saled.frames, jobs)
    for job, frames in zip(jobs, (first, second), strict=True):
        result = saled.get(f"/api/transcribe/result/{job}").json()
        assert segments(frames)
        assert all(each["text"] in result["text"] for each in segments(frames)), (frames, result)
        assert max(each["end"] for each in segments(frames)) <= result["audio_duration"]


def test_frames_continue_after_the_web_process_was_killed(saled: Saled) -> None:
    job = saled.transcribe(speech(34), diarize="false")
    client = saled.connect(job)
    first = json.loads(client.receive(timeout=60))
    assert first["status"] == "processing"
    wait_for(lambda: "text" in json.loads(client.receive(timeout=60)), "a segment")
    saled.server.kill_web()
    with pytest.raises(ConnectionClosed):
        while True:
            client.receive(timeout=30)
    saled.server.start_web()
    wait_for(saled.server.is_well, "the server")
    frames, code = saled.frames(job)
    assert code == 1000
    assert frames[-1]["status"] == "completed"
    result = saled.get(f"/api/transcribe/result/{job}").json()
    assert [each["start"] for each in segments(frames)] == sorted(each["start"] for each in segments(frames))
    assert len(segments(frames)) >= len(result["segments"]) - 1  # two may have been joined at the end


def test_an_unknown_job_gets_one_frame(saled: Saled, job: str) -> None:
    for name, headers in ((job[:-1] + "0", {}), (job, {"Authorization": f"Bearer {BOB}"})):
        frames, code = saled.frames(name, **headers)
        assert [frame["status"] for frame in frames] == ["not_found"]
        assert code == 1000


def test_handshakes_of_foreign_pages_and_wrong_tokens_are_refused(saled: Saled, job: str) -> None:
    for headers in ({"Origin": "https://evil.example"}, {"Authorization": "Bearer wrong"}):
        with pytest.raises(HandshakeRefused):
            saled.connect(job, **headers)
    assert saled.frames(job, Origin="https://a.example", Authorization=f"Bearer {ALICE}")[1] == 1000


def test_a_user_has_a_bounded_number_of_sockets(saled: Saled) -> None:
    with saled.without_worker(), contextlib.ExitStack() as leaving:
        waiting = saled.transcribe(speech(8))
        newest = saled.server.get("/api/v1/recordings")["recordings"][0]["id"]
        held: list[Client] = []

        def all_places_are_taken() -> bool:
            client = saled.connect(waiting)
            with contextlib.suppress(ConnectionClosed):
                assert client.receive(timeout=60) is not None
                leaving.callback(client.close)
                held.append(client)
            return len(held) == MAX_SOCKETS

        # Places of a web process that was killed before this test stay for a minute.
        wait_for(all_places_are_taken, "all places are taken", 120)
        assert saled.frames(waiting) == ([], 1013)
        leaving.close()
        # A client that has left gives its place back.
        wait_for(lambda: _is_served(saled, waiting), "a free place", 60)
        saled.server.request("DELETE", f"/api/v1/recordings/{newest}")
        assert saled.get(f"/api/transcribe/status/{waiting}").json()["status"] == "not_found"


def _is_served(saled: Saled, job: str) -> bool:
    client = saled.connect(job)
    try:
        return client.receive(timeout=10) is not None
    except ConnectionClosed:
        return False
    finally:
        with contextlib.suppress(ConnectionClosed):
            client.close()


def test_a_range_and_a_clip_are_transcribed_again(saled: Saled, job: str) -> None:
    body = {"segment_id": "seg-1", "start_time": 0.0, "end_time": 7.5, "language": "en"}
    answer = saled.post(f"/api/retranslate/segment-from-full?job_id={job}", json=body)
    assert answer.status_code == 200, answer.text
    assert "John Dashwood" in answer.json()["text"]
    clip = saled.post(
        "/api/retranslate/segment",
        files={"file": ("clip.wav", speech(7.5), "audio/wav")},
        data={"segment_id": "seg-2", "start_time": "0", "end_time": "7.5"},
    )
    assert clip.json()["segment_id"] == "seg-2"
    assert clip.json()["speaker"] is None
    assert "John Dashwood" in clip.json()["text"]
    for start, end in ((5, 5), (6, 5), (60, 600)):
        wrong = saled.post(
            f"/api/retranslate/segment-from-full?job_id={job}",
            json={**body, "start_time": start, "end_time": end},
        )
        assert wrong.status_code == 400


def test_summary_and_chat_of_a_transcript(saled: Saled, job: str) -> None:
    transcript = saled.get(f"/api/transcribe/result/{job}").json()["segments"]
    texts = set()
    for form in ("paragraph", "bullet_points", "key_points"):
        begun = saled.post("/api/summary/", json={"transcript": transcript, "format": form})
        summary = begun.json()["job_id"]
        wait_for(
            lambda summary=summary: (
                saled.get(f"/api/summary/status/{summary}").json()["status"] == "completed"
            ),
            "a summary",
            200,
        )
        written = saled.get(f"/api/summary/{summary}").json()
        assert isinstance(written["length"], int)
        texts.add(written["summary"])
    assert len(texts) == 3
    messages = [{"role": "user", "content": "What was John Dashwood?"}]
    answer = saled.post("/api/chat/", json={"transcript": transcript, "messages": messages}).json()
    assert answer["message"]["role"] == "assistant"
    assert answer["usage"]["total"] == answer["usage"]["prompt"] + answer["usage"]["completion"]
    assert time.time() - saled.get("/health").json()["timestamp"] < 60
