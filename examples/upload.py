"""Upload a recording, wait until it is done, print its transcript. Needs the `requests` package.

SPEAKR_TOKEN=... python3 upload.py meeting.mp3 [title]

SPEAKR_URL is where the server is, http://127.0.0.1:8899 unless set. `requests` reads the whole file into
memory; `upload.sh` does not.
"""
# ruff: noqa: INP001, PLR2004, T201, TID251 - a script on its own, not a part of the server

from __future__ import annotations

import os
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

API = os.environ.get("SPEAKR_URL", "http://127.0.0.1:8899").rstrip("/") + "/api/v1"
PAUSES_SECONDS = (1.0, 5.0, 15.0, 60.0)
TIMEOUT_SECONDS = (10, 600)

session = requests.Session()
session.headers["Authorization"] = f"Bearer {os.environ['SPEAKR_TOKEN']}"


def patiently(send: Callable[[], requests.Response]) -> dict[str, Any]:
    """Send, and send again while the server is away, busy or counting; return the JSON of the answer."""
    for pause in PAUSES_SECONDS:
        try:
            answer = send()
        except (requests.ConnectionError, requests.Timeout):
            time.sleep(pause)
            continue
        if not is_passing(answer):
            return told_by(answer)
        time.sleep(float(answer.headers.get("Retry-After", pause)))
    return told_by(send())


def is_passing(answer: requests.Response) -> bool:
    """Tell whether the same request may do better later. 409: our first try is still being read."""
    in_flight = answer.status_code == 409 and answer.json()["code"] == "idempotency_in_flight"
    return in_flight or answer.status_code in {429, 502, 503, 504}


def told_by(answer: requests.Response) -> dict[str, Any]:
    """Return the body of the answer, or exit with its error message."""
    if answer.status_code >= 500:  # may come from a proxy, and then it is not JSON
        sys.exit(f"{answer.status_code} {answer.reason}")
    body: dict[str, Any] = answer.json()
    if not answer.ok:
        sys.exit(f"{answer.status_code} {body['code']}: {body['error']}")
    return body


def upload(path: Path, title: str) -> dict[str, Any]:
    """Upload a file. The key makes it safe to send it again when the answer was lost."""
    key = str(uuid.uuid4())

    def send() -> requests.Response:
        with path.open("rb") as file:
            return session.post(
                f"{API}/recordings/upload",
                headers={"Idempotency-Key": key},
                files={"file": (path.name, file)},
                data={"title": title},
                timeout=TIMEOUT_SECONDS,
            )

    return patiently(send)


def wait(recording_id: int) -> dict[str, Any]:
    """Ask for the status until it is final; at most 30 times a minute, of 100 that are allowed."""
    while True:
        status = patiently(
            lambda: session.get(f"{API}/recordings/{recording_id}/status", timeout=TIMEOUT_SECONDS)
        )
        if status["status"] in {"COMPLETED", "FAILED"}:
            return status
        print(f"{status['status']} {status['progress']} %", file=sys.stderr)
        time.sleep(2)


def main(path: Path, title: str = "") -> None:
    """Do it."""
    recording = upload(path, title)
    print(f"Recording {recording['id']}: {recording['title']}", file=sys.stderr)
    status = wait(recording["id"])
    if status["status"] == "FAILED":
        sys.exit(f"{status['error_code']}: {status['error_message']}")
    answer = session.get(
        f"{API}/recordings/{recording['id']}/transcript",
        params={"format": "text"},
        headers={"Accept": "text/plain"},
        timeout=TIMEOUT_SECONDS,
    )
    answer.raise_for_status()
    print(answer.text)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:3])
