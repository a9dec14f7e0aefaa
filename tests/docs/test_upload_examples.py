"""The upload examples, run against a server that listens on a socket."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from speakr.db import db, release
from speakr.models import Recording
from tests.conftest import wav
from tests.docs.conftest import Server
from tests.docs.pages import EXAMPLES

SHELLS = ["/bin/sh", EXAMPLES / "upload.sh"] if shutil.which("curl") else None
EXAMPLE_COMMANDS = {"python": [sys.executable, EXAMPLES / "upload.py"], "shell": SHELLS}
TRANSCRIBED = ["[SPEAKER_00]: heard 0.1-0.4", "[SPEAKER_00]: heard 0.5-0.9"]

Upload = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(params=[name for name, command in EXAMPLE_COMMANDS.items() if command])
def upload(request: pytest.FixtureRequest, work: Callable[[], None]) -> Upload:
    """Run an example, doing the server's work meanwhile."""

    def run(server: Server, *arguments: object) -> subprocess.CompletedProcess[str]:
        command = [*EXAMPLE_COMMANDS[request.param], *arguments]
        process = subprocess.Popen(
            [str(part) for part in command],
            env={"PATH": os.environ["PATH"], "SPEAKR_URL": server.url, "SPEAKR_TOKEN": server.token},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            while process.poll() is None:
                work()
                time.sleep(0.02)
        finally:
            process.kill()
            output, errors = process.communicate()
        return subprocess.CompletedProcess(command, process.returncode, output, errors)

    return run


def recordings() -> int:
    release()
    return db.session.scalar(select(func.count()).select_from(Recording)) or 0


def test_a_recording_becomes_its_transcript(
    serve: Callable[..., Server], upload: Upload, tmp_path: Path
) -> None:
    file = tmp_path / "a meeting, with; marks.wav"
    file.write_bytes(wav())
    server = serve()
    done = upload(server, file, "Stand-up: «one»")
    assert (done.returncode, done.stdout.splitlines()) == (0, TRANSCRIBED), done.stderr
    release()
    made = db.session.scalars(select(Recording)).one()
    assert (made.title, made.original_filename) == ("Stand-up: «one»", file.name)


def test_a_refusal_is_reported(serve: Callable[..., Server], upload: Upload, tmp_path: Path) -> None:
    file = tmp_path / "notes.mp3"
    file.write_text("These are words, and not sounds. " * 100)
    done = upload(serve(), file)
    assert done.returncode == 1
    assert "not_media: This is not an audio or video file." in done.stderr
    assert done.stdout == ""


class LosesTheFirstAnswer:
    """An app behind a line that breaks once: the work is done, and the client does not learn of it."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self.lost = 0

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        answer = self._app(environ, start_response)
        if environ["PATH_INFO"].endswith("/upload") and not self.lost:
            self.lost += 1
            b"".join(answer)
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        return answer


def test_a_lost_answer_stores_nothing_twice(
    app: Flask, serve: Callable[..., Server], upload: Upload, tmp_path: Path
) -> None:
    file = tmp_path / "meeting.wav"
    file.write_bytes(wav())
    line = LosesTheFirstAnswer(app)
    done = upload(serve(line), file)
    assert (done.returncode, done.stdout.splitlines()) == (0, TRANSCRIBED), done.stderr
    assert line.lost == 1
    assert recordings() == 1


def test_the_shell_example_is_a_program_for_any_shell() -> None:
    """Holds also where there is no curl to run it."""
    subprocess.run(["/bin/sh", "-n", EXAMPLES / "upload.sh"], check=True)
    assert (EXAMPLES / "upload.sh").read_text().startswith("#!/bin/sh\n")
    assert os.access(EXAMPLES / "upload.sh", os.X_OK)
