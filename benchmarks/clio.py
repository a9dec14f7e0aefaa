"""Speed of Clio's API: lists of 20 of 10,000 notes, and the first byte of a range of audio.

python -m benchmarks.clio [--notes 10000] [--times 200] [--database URL]

Starts its own Redis and gunicorn on a free port, fills a database (SQLite, or the PostgreSQL URL given) with notes of
40 segments, and sends requests one after the other over one connection. Prints the median, the 95th percentile, the CPU
time of the web process, which does not depend on other processes of the machine, and the goal. The clock of a range runs
from the request until its first byte has arrived.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from benchmarks.api import WORDS
from benchmarks.stack import Server, machine, print_table

LIST_GOAL_MS, RANGE_GOAL_MS = 30, 20
SEGMENTS = 40
RARE = "walrus"
_AT_ONCE = 500
_WARM_UP = 5


def fill(notes: int) -> str:
    """Write a library of notes and return a token for it. Runs in a process with the server's environment."""
    from sqlalchemy import insert

    from speakr.app import create_app
    from speakr.db import unit_of_work
    from speakr.models import Recording, Segment, Tag
    from speakr.services.accounts import tokens, users
    from speakr.services.search import indexing

    rng = random.Random(1)
    with create_app().app_context():
        with unit_of_work() as session:
            user = users.create(username="bench")
            user_id, (_, raw) = user.id, tokens.create(user.id)
            session.add_all(Tag(user_id=user_id, name=f"tag {n}") for n in range(10))
        for first in range(0, notes, _AT_ONCE):
            with unit_of_work() as session:
                batch = range(first, min(first + _AT_ONCE, notes))
                ids = session.scalars(
                    insert(Recording).returning(Recording.id), [_note(user_id, n) for n in batch]
                ).all()
                session.execute(insert(Segment), [row for each in ids for row in _segments(each, rng)])
        for _ in indexing.reindex():
            pass
        return raw


def _note(user_id: int, number: int) -> dict[str, Any]:
    from datetime import timedelta

    from speakr.domain.clock import now
    from speakr.domain.recordings import RecordingStatus

    return {
        "user_id": user_id,
        "title": f"Note {number}" + (f" {RARE}" if number % 500 == 0 else ""),
        "original_filename": "recording.webm",
        "mime_type": "audio/webm",
        "file_size": 1_000_000 + number,
        "sha256": f"{number:064d}",
        "storage_key": f"audio/00/{number:032d}",
        "status": RecordingStatus.COMPLETED,
        "created_at": now() - timedelta(minutes=number),
        "completed_at": now(),
        "audio_duration": 200.0 + number % 97,
        "has_transcription": True,
        "language": ("en", "de")[number % 10 == 0],
        "confidence": 0.9,
        "is_highlighted": number % 7 == 0,
    }


def _segments(recording_id: int, rng: random.Random) -> list[dict[str, Any]]:
    return [
        {
            "recording_id": recording_id,
            "position": position,
            "start": position * 5.0,
            "end": position * 5.0 + (2.0 if position % 5 == 4 else 4.9),
            "speaker": "SPEAKER_00",
            "confidence": 0.9,
            "text": " ".join(rng.choices(WORDS, k=12)),
            "words": [],
        }
        for position in range(SEGMENTS)
    ]


def sound(seconds: int) -> bytes:
    """Return a WAV file of noise, 96 kB a second."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48_000)
        file.writeframes(random.Random(2).randbytes(96_000 * seconds))
    return buffer.getvalue()


class Client:
    """One connection, with a token."""

    def __init__(self, port: int, token: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port)
        self._headers = {"Authorization": f"Bearer {token}"}

    def get(self, path: str) -> Any:
        """Return a JSON response."""
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        assert answer.status == 200, (path, body[:500])
        return json.loads(body)

    def upload(self, data: bytes) -> Any:
        """Create a note and return it."""
        boundary = "benchmark"
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="audio_file"; filename="a.wav"\r\n\r\n'
        body = head.encode() + data + f"\r\n--{boundary}--\r\n".encode()
        kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        self._connection.request("POST", "/clio/api/notes/", body, self._headers | kind)
        answer = self._connection.getresponse()
        created = json.loads(answer.read())
        assert answer.status == 201, created
        return created["data"]

    def first_byte(self, path: str, start: int) -> None:
        """Ask for the rest of a file without a token, wait for its first byte, and hang up."""
        connection = http.client.HTTPConnection(self._connection.host, self._connection.port)
        connection.request("GET", path, headers={"Range": f"bytes={start}-"})
        answer = connection.getresponse()
        assert answer.status == 206, answer.status
        assert len(answer.read(1)) == 1
        connection.close()


def measure(server: Server, name: str, goal: int, times: int, call: Callable[[], object]) -> list[str]:
    """Return a row of the table."""
    for _ in range(_WARM_UP):
        call()
    taken = []
    cpu = server.web_cpu_seconds()
    for _ in range(times):
        began = time.perf_counter()
        call()
        taken.append((time.perf_counter() - began) * 1000)
    cpu = (server.web_cpu_seconds() - cpu) / times * 1000
    p95 = statistics.quantiles(taken, n=20)[18]
    verdict = f"{goal}{'' if p95 <= goal else ', missed'}"
    return [name, f"{statistics.median(taken):.1f}", f"{p95:.1f}", f"{cpu:.1f}", verdict]


LISTS = {
    "list of 20": "",
    "list of 20, a late page": "page=80",
    "by title": "ordering=title",
    "by duration, then title": "ordering=-duration,title",
    "favourites": "is_favorite=true",
    "in German": "language_detected=de",
    "search, a rare word": f"search={quote(RARE)}",
    "search, a word of every note": "search=budget",
}


def main() -> None:
    """Run the benchmark."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--notes", type=int, default=10_000)
    options.add_argument("--times", type=int, default=200)
    options.add_argument("--database", default="")
    options.add_argument("--fill", action="store_true", help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.fill:
        sys.stdout.write(fill(asked.notes))
        return
    with (
        tempfile.TemporaryDirectory(prefix="spk-b-") as folder,
        Server(Path(folder), asked.database) as server,
    ):
        token = subprocess.run(
            [sys.executable, "-m", "benchmarks.clio", "--fill", "--notes", str(asked.notes)],
            env={**os.environ, **server.environment},
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout.strip()
        client = Client(server.port, token)
        rows = [
            measure(
                server,
                name,
                LIST_GOAL_MS,
                asked.times,
                lambda query=query: client.get(f"/clio/api/notes/?page_size=20&{query}"),
            )  # type: ignore[misc] # the default binds it
            for name, query in LISTS.items()
        ]
        path = f"/clio{client.upload(sound(400))['audio_file']}"
        rng = random.Random(3)
        rows.append(
            measure(
                server,
                "first byte of a 206 of 38 MB",
                RANGE_GOAL_MS,
                asked.times,
                lambda: client.first_byte(path, rng.randrange(38_000_000)),
            )
        )
        print_table(
            f"{machine()}; {asked.notes} notes of {SEGMENTS} segments, {server.database_name}, one connection",
            ["request", "median ms", "p95 ms", "web CPU ms", "goal p95 ms"],
            rows,
        )


if __name__ == "__main__":
    main()
