"""How long one user's short recording waits behind another user's work: `python -m benchmarks.fairness`.

    python -m benchmarks.fairness [--queued 1000] [--postgresql]

A real server with two workers and the embedded engine. Three rounds: user B uploads 5 s of speech to an idle server;
after two 10-minute recordings of user A; after A has queued many short recordings. Printed: the seconds from B's upload
to COMPLETED, and how many of A's recordings were done by then.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speech_audio import clips, wav
from benchmarks.stack import Server, machine, print_table
from benchmarks.transcription import SAMPLE_RATE
from tests.servers import postgres_server

LONG_SECONDS, SHORT_SECONDS = 600, 5
GOAL_SECONDS = 20.0
PAUSE_SECONDS = 5.0
"""From A's last upload to B's, so that A's work is under way."""


class User:
    """A user of the server, with a token."""

    def __init__(self, server: Server, name: str) -> None:
        self._port = server.port
        speakr(server, "create-user", name, "--no-password")
        self._token = speakr(server, "create-token", name)

    def call(self, method: str, path: str, body: bytes | None = None, content_type: str = "") -> Any:
        """Send a request and return the JSON of a 2xx answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            headers = {"Authorization": f"Bearer {self._token}", "Content-Type": content_type}
            connection.request(method, f"/api/v1{path}", body, headers)
            answer = connection.getresponse()
            shown = answer.read()
            assert answer.status < 300, (answer.status, shown)
            return json.loads(shown)
        finally:
            connection.close()

    def upload(self, audio: bytes) -> int:
        """Upload a recording and return its id."""
        head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="speech.wav"\r\n\r\n'
        body = head + audio + b"\r\n--b--\r\n"
        accepted = self.call("POST", "/recordings/upload", body, "multipart/form-data; boundary=b")
        return int(accepted["id"])

    def seconds_until_completed(self, audio: bytes) -> float:
        """Upload a recording and wait until it is COMPLETED."""
        began = time.monotonic()
        recording_id = self.upload(audio)
        while (status := self.call("GET", f"/recordings/{recording_id}/status")["status"]) != "COMPLETED":
            assert status != "FAILED"
            assert time.monotonic() - began < 600, "not completed within 10 minutes"
            time.sleep(0.1)
        return time.monotonic() - began

    def completed(self) -> int:
        """Return how many recordings are COMPLETED."""
        return int(self.call("GET", "/recordings?status=completed&per_page=1")["pagination"]["total"])

    def delete_all(self) -> None:
        """Delete all recordings."""
        while found := self.call("GET", "/recordings?per_page=100")["recordings"]:
            for recording in found:
                self.call("DELETE", f"/recordings/{recording['id']}")


def speakr(server: Server, *arguments: str) -> str:
    """Run a command of the operator and return what it prints."""
    return subprocess.run(
        [sys.executable, "-m", "speakr", *arguments],
        env=server.environment,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


def speech(seconds: int) -> bytes:
    """Return speech, repeated or cut to a length, as WAV."""
    return wav(np.resize(np.concatenate(clips()), seconds * SAMPLE_RATE))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--queued", type=int, default=1000, help="short recordings of A in the last round")
    parser.add_argument("--postgresql", action="store_true", help="on PostgreSQL instead of SQLite")
    asked = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="spk-fairness-")))
        url = stack.enter_context(postgres_server()) if asked.postgresql else ""
        server = stack.enter_context(Server(folder, url, workers=2))
        print(f"{machine()}, {server.database_name}, 2 workers")
        first, second = User(server, "first"), User(server, "second")
        rows = _measure(first, second, asked.queued)
    print_table(
        f"Goal: {GOAL_SECONDS:.0f} s for {SHORT_SECONDS} s of speech, whatever another user has queued.",
        ["before", "seconds until COMPLETED", "recordings of the other user done"],
        rows,
    )


def _measure(first: User, second: User, queued: int) -> list[list[str]]:
    short, long = speech(SHORT_SECONDS), speech(LONG_SECONDS)
    rounds: dict[str, Callable[[], object]] = {
        "nothing": lambda: None,
        "two recordings of 10 minutes": lambda: [first.upload(long) for _ in range(2)],
        f"{queued} recordings of {SHORT_SECONDS} s": lambda: [first.upload(short) for _ in range(queued)],
    }
    rows = []
    for name, prepare in rounds.items():
        prepare()
        time.sleep(PAUSE_SECONDS)
        seconds = second.seconds_until_completed(short)
        rows.append([name, f"{seconds:.1f}", str(first.completed())])
        print(*rows[-1], file=sys.stderr, flush=True)
        first.delete_all()
    return rows


if __name__ == "__main__":
    main()
