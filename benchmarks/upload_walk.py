"""The path of one upload through the code: which functions run, and how often it moves between files.

python -m benchmarks.upload_walk [--list]

Uploads one small WAV file in this process (SQLite, local storage, one webhook), after another one that fills the
caches. Counts every call of a function below `speakr/`. A move is a call into another file than the previous call; a
return is a move into a file that was left before. `--list` prints the path.
"""

from __future__ import annotations

import argparse
import io
import itertools
import math
import struct
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import redis

from benchmarks.stack import ROOT, machine, print_table, redis_binary
from speakr.app import create_app
from speakr.db import unit_of_work
from speakr.domain.permissions import DEFAULT_SCOPES
from speakr.schema import upgrade
from speakr.services.accounts import tokens, users
from speakr.settings import Settings

PACKAGE = str(ROOT / "speakr") + "/"
UPLOAD = "/api/v1/recordings/upload"


@dataclass(frozen=True, slots=True)
class Walk:
    """The calls of one request in their order, as (file, function)."""

    calls: list[tuple[str, str]]

    @property
    def figures(self) -> list[int]:
        """Return the number of calls, functions, files, packages, moves and returns."""
        files = [file for file, _ in self.calls]
        moves = [after for before, after in itertools.pairwise(files) if before != after]
        rooms = {file.partition("/")[0] for file in files}
        returns = len(moves) - len(set(files)) + 1
        return [len(self.calls), len(set(self.calls)), len(set(files)), len(rooms), len(moves), returns]


def walk_of(request: Callable[[], object]) -> Walk:
    """Run a request and record every call of Speakr's functions in this thread."""
    calls: list[tuple[str, str]] = []

    def note(frame: FrameType, event: str, _argument: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(PACKAGE):
            calls.append((code.co_filename.removeprefix(PACKAGE), code.co_qualname))

    sys.setprofile(note)
    try:
        request()
    finally:
        sys.setprofile(None)
    return Walk(calls)


def tone(hertz: int) -> bytes:
    """Return half a second of a tone as WAV, 16 kB."""
    samples = (round(8000 * math.sin(2 * math.pi * hertz * n / 16_000)) for n in range(8_000))
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(struct.pack("<8000h", *samples))
    return buffer.getvalue()


def measure(folder: Path) -> Walk:
    """Upload twice and return the walk of the second upload."""
    settings = Settings(
        secret_key="x" * 40,
        data_dir=folder,
        redis_url=f"unix://{folder}/redis.sock",
        log_level="ERROR",
        min_free_disk_mb=1,
        webhook_allowed_hosts="127.0.0.1/32",
    )
    upgrade(settings.resolved_database_url)
    app = create_app(settings)
    with app.app_context(), unit_of_work():
        user = users.create(username="walker", is_admin=False)
        _, token = tokens.create(user.id, scopes=DEFAULT_SCOPES)
    client = app.test_client()
    headers = {"Authorization": f"Bearer {token}"}
    hook: dict[str, Any] = {
        "name": "hook",
        "url": "http://127.0.0.1:8099/",
        "allow_http": True,
        "events": ["recording.created"],
    }
    made = client.post("/api/v1/webhooks", json=hook, headers=headers)
    assert made.status_code == 201, made.text

    def upload(hertz: int) -> None:
        answer = client.post(
            UPLOAD, data={"file": (io.BytesIO(tone(hertz)), "tone.wav"), "title": "A tone"}, headers=headers
        )
        assert answer.status_code == 202, answer.text

    upload(220)
    return walk_of(lambda: upload(330))


def main() -> None:
    """Print the figures of one upload."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--list", action="store_true", help="print every call")
    wants_list = parser.parse_args().list
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = subprocess.Popen(
            [redis_binary(), "--port", "0", "--unixsocket", f"{folder}/redis.sock", "--save", ""],
            stdout=subprocess.DEVNULL,
        )
        try:
            _wait_for_redis(folder)
            walk = measure(folder)
        finally:
            server.terminate()
            server.wait()
    if wants_list:
        print("\n".join(f"{file}: {function}" for file, function in walk.calls))
    print(machine())
    head = ["request", "calls", "functions", "files", "rooms", "moves", "returns"]
    print_table("One upload", head, [["POST /recordings/upload", *map(str, walk.figures)]])


def _wait_for_redis(folder: Path) -> None:
    connection = redis.Redis(unix_socket_path=f"{folder}/redis.sock")
    deadline = time.monotonic() + 20
    while True:
        try:
            connection.ping()
        except redis.ConnectionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


if __name__ == "__main__":
    main()
