"""A client that asks for its own pages while others attack: `python -m benchmarks.attacks.bystander PORT TOKEN`.

A process of its own, so that an attacker's work does not delay its clock. For each line on stdin it prints a line of
JSON with what it has measured since the line before: latencies in seconds, failures, and the longest silence.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time

TIMEOUT_SECONDS = 90.0
ADDRESS = "127.0.0.2"
"""Another one than the attacker's, as without a proxy."""
EVERY_SECONDS = {"/healthz": 0.05, "/api/v1/recordings?per_page=5": 0.7}
"""Path -> seconds from one request to the next, within the limits of one token."""


class Poller(threading.Thread):
    """Asks for one page again and again, over a connection of its own."""

    def __init__(self, port: int, token: str, path: str) -> None:
        super().__init__(daemon=True)
        self._port, self._path = port, path
        self._headers = {"Authorization": f"Bearer {token}"}
        self._lock = threading.Lock()
        self._latencies: list[float] = []
        self._failures = 0
        self._asked_at: float | None = None

    def run(self) -> None:
        """Ask until the process ends."""
        while True:
            began = self._asked_at = time.monotonic()
            has_answer = self._ask()
            seconds = time.monotonic() - began
            with self._lock:
                self._asked_at = None
                self._latencies.append(seconds)
                self._failures += not has_answer
            time.sleep(max(0.0, EVERY_SECONDS[self._path] - seconds))

    def _ask(self) -> bool:
        connection = http.client.HTTPConnection(
            "127.0.0.1", self._port, timeout=TIMEOUT_SECONDS, source_address=(ADDRESS, 0)
        )
        try:
            connection.request("GET", self._path, headers=self._headers)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        return answer.status == 200

    def take(self) -> tuple[list[float], int]:
        """Return latencies and failures since the last call; a request that still waits counts as long as it has."""
        with self._lock:
            latencies, self._latencies = self._latencies, []
            failures, self._failures = self._failures, 0
            if self._asked_at is not None:
                latencies.append(time.monotonic() - self._asked_at)
        return latencies, failures


def main() -> None:
    """Measure until stdin ends."""
    port, token = int(sys.argv[1]), sys.argv[2]
    pollers = [Poller(port, token, path) for path in EVERY_SECONDS]
    for poller in pollers:
        poller.start()
    for _ in sys.stdin:
        taken = [poller.take() for poller in pollers]
        print(
            json.dumps(
                {
                    "latencies": [seconds for latencies, _ in taken for seconds in latencies],
                    "failures": sum(failures for _, failures in taken),
                }
            ),
            flush=True,
        )


if __name__ == "__main__":
    main()
