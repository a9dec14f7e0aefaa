"""The Whisper ASR webservice of a live server with a worker and real speech, and the commands of its page."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.compat.asr_webservice.exchanges import SETTINGS
from tests.docs.pages import blocks, read
from tests.docs.test_commands import differences
from tests.intake.server import BOB, TIMEOUT_SECONDS, IntakeServer

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]

SHORT = Path(__file__).parents[2] / "connectors" / "data" / "goforward.flac"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IntakeServer]:
    with IntakeServer(tmp_path_factory.mktemp("asr"), **SETTINGS) as made:
        made.start_worker()
        yield made


def post(server: IntakeServer, path: str, **headers: str) -> requests.Response:
    """Send a file as clients do, without a credential."""
    with requests.Session() as session:
        session.trust_env = False
        return session.post(
            f"http://127.0.0.1:{server.port}/asr-webservice{path}",
            files={"audio_file": ("audio.flac", SHORT.read_bytes(), "audio/flac")},
            headers={"Accept": "application/json", **headers},
            timeout=TIMEOUT_SECONDS,
        )


def transcribed(server: IntakeServer, query: str) -> requests.Response:
    answer = post(server, f"/asr?{query}")
    assert answer.status_code == 200, answer.text
    assert "forward" in answer.text.lower()
    return answer


@pytest.mark.parametrize(
    ("output", "begin"),
    [
        ("txt", "Go forward"),
        ("vtt", "WEBVTT\n\n00:00:0"),
        ("srt", "1\n00:00:0"),
        ("tsv", "start\tend\ttext\n"),
    ],
)
def test_text_outputs(server: IntakeServer, output: str, begin: str) -> None:
    answer = transcribed(server, f"output={output}")
    assert answer.text.startswith(begin)
    assert answer.headers["Content-Type"].startswith("text/plain")


def test_json_output_has_words_when_asked(server: IntakeServer) -> None:
    query = "encode=true&task=transcribe&language=en&output=json"
    (segment,) = transcribed(server, query).json()["segments"]
    assert set(segment) == {"id", "start", "end", "text"}
    body = transcribed(server, f"{query}&word_timestamps=true").json()
    words = body["segments"][0]["words"]
    assert "".join(word["word"] for word in words).strip() == body["text"]
    assert all(0 <= word["start"] < word["end"] for word in words)
    assert body["language"] == "en"


def test_diarization_names_speakers(server: IntakeServer) -> None:
    body = transcribed(server, "output=json&diarize=true&encode=false").json()
    assert {segment["speaker"] for segment in body["segments"]} == {"SPEAKER_00"}


def test_the_language_is_detected(server: IntakeServer) -> None:
    body = post(server, "/detect-language?encode=true").json()
    assert (body["detected_language"], body["language_code"]) == ("english", "en")
    assert 0 <= body["confidence"] <= 1


def test_a_translation_is_refused_and_a_wrong_token_too(server: IntakeServer) -> None:
    refused = post(server, "/asr?task=translate")
    assert (refused.status_code, list(refused.json())) == (400, ["detail"])
    assert post(server, "/asr", Authorization="Bearer wrong").status_code == 401


def test_nothing_is_kept_and_others_see_no_job(server: IntakeServer) -> None:
    transcribed(server, "output=txt")
    kept = server.kept()
    assert (kept.rows["recordings"], kept.blobs) == (0, frozenset())
    assert server.get("/api/v1/jobs", token=BOB)["jobs"] == []


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl to run it")
def test_the_commands_of_the_page_do_what_it_shows(server: IntakeServer, tmp_path: Path) -> None:
    (tmp_path / "meeting.flac").write_bytes(SHORT.read_bytes())
    found = blocks(read("compat/asr-webservice.md"))
    shown: list[tuple[str, Any]] = [
        (block.text, json.loads(following.text))
        for block, following in pairwise(found)
        if block.language == "sh" and following.language == "json"
    ]
    assert len(shown) == 2
    for command, answer in shown:
        done = subprocess.run(
            ["/bin/sh", "-c", 'curl() { command curl -fsS "$@"; }\n' + command],
            env={"PATH": os.environ["PATH"], "api": f"http://127.0.0.1:{server.port}/asr-webservice"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=200,
            check=True,
        )
        assert list(differences(answer, json.loads(done.stdout))) == []
