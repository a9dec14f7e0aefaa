"""Clio's notes on a real server: gunicorn, a worker with the real recogniser, real speech."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import av
import numpy as np
import pytest

from tests.compat.clio.conftest import API, audio_form
from tests.crash.speech import CLIPS, RATE, clip, short_recording
from tests.intake.server import ALICE, BOB, IntakeServer, wait_for

pytestmark = pytest.mark.stack

PAGE = "http://localhost:3000"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IntakeServer]:
    limits = {"SPEAKR_MAX_FILE_SIZE_MB": "60", "SPEAKR_MAX_AUDIO_ONLY_VIDEO_SIZE_MB": "60"}
    with IntakeServer(tmp_path_factory.mktemp("clio"), **limits) as made:
        made.start_worker()
        yield made


def webm() -> bytes:
    """Return speech as a browser records it: Opus in WebM."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="webm") as container:
        stream = container.add_stream("libopus", rate=48_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.repeat(clip("goforward"), 3)[None, :], "s16", "mono")
        frame.sample_rate = 48_000
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return buffer.getvalue()


def create(
    server: IntakeServer, data: bytes, filename: str, kind: str, token: str = ALICE, **form: Any
) -> Any:
    sent = audio_form(data, filename, kind, **form)
    answer = server.request(
        "POST",
        f"{API}/notes/",
        token=token,
        data=sent["data"],
        headers={"Content-Type": sent["content_type"]},
    )
    assert answer.status_code == 201, answer.text
    return answer.json()["data"]


def completed(server: IntakeServer, note_id: int, token: str = ALICE) -> Any:
    """Poll a note as scripts do until its text is there."""

    def look() -> Any:
        note = server.get(f"{API}/notes/{note_id}/", token)
        assert note["status"] != "failed", note
        return note if note["status"] == "completed" else None

    return wait_for(look, "the note is transcribed", 180)


@pytest.fixture(scope="module")
def note(server: IntakeServer) -> Any:
    """A transcribed note of Alice."""
    made = create(server, short_recording(), "forward.wav", "audio/wav", title="Forward")
    assert made["status"] == "processing"
    return completed(server, made["id"])


def play(server: IntakeServer, address: str, **headers: str) -> Any:
    """Fetch audio as an `<audio>` element of another origin does: with neither cookie nor token."""
    parts = urlsplit(address)
    return server.request(
        "GET", f"{parts.path}?{parts.query}", headers={"Authorization": None, "Origin": PAGE, **headers}
    )


def test_an_uploaded_note_is_transcribed(note: Any) -> None:
    assert "forward" in note["transcription"].lower()
    assert note["transcription"][0].isupper()
    assert note["transcription"][-1] in ".!?"
    assert re.match(r"^\d\d:\d\d:\d\d", note["duration"])
    assert len(note["segments"][0]) == 7
    assert 0 < note["confidence_score"] <= 1
    assert note["language_detected"] == "en"


def test_search_finds_the_text_and_lists_link_on(server: IntakeServer, note: Any) -> None:
    found = server.get(f"{API}/notes/?search=forward")
    assert note["id"] in [each["id"] for each in found["results"]]
    assert server.request("GET", f"{API}/notes/?page=99").status_code == 404
    assert server.get(f"{API}/notes/", BOB)["count"] == 0


def test_webm_plays_in_parts_and_its_neighbours_are_not_there(server: IntakeServer) -> None:
    data = webm()
    made = create(server, data, "recording.webm", "audio/webm;codecs=opus")
    whole = play(server, made["audio_url"])
    assert (whole.status_code, whole.headers["Content-Type"]) == (200, "audio/webm")
    assert whole.content == data
    part = play(server, made["audio_url"], Range="bytes=0-99")
    assert (part.status_code, part.content) == (206, data[:100])
    assert part.headers["Content-Range"] == f"bytes 0-99/{len(data)}"
    assert part.headers["Access-Control-Allow-Origin"] == PAGE
    assert play(server, made["audio_url"], Range="bytes=999999999-").status_code == 416
    assert play(server, made["audio_url"].replace(".webm", ".m4a")).status_code == 404
    assert play(server, made["audio_url"].partition("?")[0]).status_code == 401
    # The grid of the web client puts `audio_file` behind its base URL without /api.
    base = f"http://127.0.0.1:{server.port}{API}".replace("/api", "")
    listed = server.get(f"{API}/notes/?page_size=1")["results"][0]
    assert play(server, base + listed["audio_file"]).status_code == 200
    assert "forward" in completed(server, made["id"])["transcription"].lower()


def test_transcribing_again_starts_from_an_empty_text(server: IntakeServer) -> None:
    made = create(server, short_recording(), "again.wav", "audio/wav")
    first = completed(server, made["id"])
    path = f"{API}/notes/{made['id']}/"
    answer = server.request("POST", f"{path}retranscribe/", json={"language": "en"})
    assert (answer.status_code, answer.json()["data"]["transcription"]) == (200, "")
    again = completed(server, made["id"])
    assert (again["transcription"], again["title"]) == (first["transcription"], first["title"])


def test_deleting_a_note_frees_its_storage(server: IntakeServer) -> None:
    def used() -> float:
        return float(server.get(f"{API}/auth/profile/", BOB)["data"]["storage_used_mb"])

    before = used()
    made = create(server, short_recording(), "gone.wav", "audio/wav", token=BOB)
    assert used() > before
    answer = server.request("DELETE", f"{API}/notes/{made['id']}/", token=BOB)
    assert (answer.status_code, answer.json()["success"]) == (200, True)
    assert used() == before


def transcribe(server: IntakeServer, data: bytes, **fields: Any) -> Any:
    sent = audio_form(data, "clip.wav", "audio/wav", **fields)
    return server.request(
        "POST", f"{API}/transcribe/", data=sent["data"], headers={"Content-Type": sent["content_type"]}
    )


def test_a_file_is_transcribed_in_one_request_and_not_kept(server: IntakeServer, note: Any) -> None:
    before, blobs = server.get(f"{API}/notes/")["count"], server.kept().blobs
    answer = transcribe(server, short_recording(), language="en")
    assert answer.status_code == 200, answer.text
    data = answer.json()["data"]
    assert "forward" in data["transcription"].lower()
    assert data["language"] == "en"
    assert data["duration"] == pytest.approx(len(short_recording()) / 2 / RATE, abs=0.1)
    assert 0 <= data["confidence"] <= 1
    assert set(data["segments"][0]) == {"start_time", "end_time", "text", "confidence"}
    assert server.get(f"{API}/notes/")["count"] == before
    wait_for(lambda: server.kept().blobs == blobs, "no blob left")


def test_what_cannot_be_transcribed_is_refused_by_field(server: IntakeServer) -> None:
    for data, fields, field in (
        (b"no audio " * 1000, {}, "audio_file"),
        (b"\0" * 500, {}, "audio_file"),
        (short_recording(), {"language": "klingon"}, "language"),
    ):
        answer = transcribe(server, data, **fields)
        assert (answer.status_code, list(answer.json()["errors"])) == (400, [field]), answer.text


def commands_of_the_page() -> list[str]:
    """Return the commands of the section about notes, without the line that sets a variable."""
    page = (Path(__file__).parents[3] / "docs" / "compat" / "clio.md").read_text()
    section = page.partition("## Notes")[2].partition("```sh\n")[2].partition("```")[0]
    return [line for line in section.splitlines() if line.startswith("curl ")]


@pytest.mark.skipif(shutil.which("curl") is None, reason="the page uses curl")
def test_commands_of_the_page_work(server: IntakeServer, tmp_path: Path) -> None:
    (tmp_path / "meeting.flac").write_bytes((CLIPS / "goforward.flac").read_bytes())
    known = {
        "api": f"http://127.0.0.1:{server.port}{API}",
        "json": "Content-Type: application/json",
        "auth": f"Authorization: Bearer {BOB}",
    }
    tag = note = 1
    seen = []
    for command in commands_of_the_page():
        line = command.replace("tag_ids=1 ", f"tag_ids={tag} ").replace("tags=1&", f"tags={tag}&")
        line = line.replace("/notes/1/", f"/notes/{note}/").replace(
            "curl ", "curl -s -w '\n%{http_code}' ", 1
        )
        if "retranscribe" in line:
            completed(server, note, BOB)
        done = subprocess.run(
            ["/bin/bash", "-c", line],
            env={"PATH": os.environ["PATH"], "no_proxy": "*", **known},
            cwd=tmp_path,
            check=True,
            capture_output=True,
            text=True,
            timeout=180,
        )
        body, _, status = done.stdout.rpartition("\n")
        answer = json.loads(body)
        seen.append(int(status))
        if seen == [201]:
            tag = answer["id"]
        elif seen == [201, 201]:
            note = answer["data"]["id"]
        elif len(seen) == 3:
            assert [each["id"] for each in answer["results"]] == [note]
    assert seen == [201, 201, 200, 200, 200, 200, 200, 200]
