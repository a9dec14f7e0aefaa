"""What the live WebSockets of `/saled` cost, and how fast their frames are: `python -m benchmarks.saled`.

    python -m benchmarks.saled [--sockets 40] [--requests 300]

A real web process without workers. Printed: the p95 of a plain GET without WebSockets and with idle ones, alternating; the
time from the moment a segment is published to its frame, over all sockets; whether frames of two jobs mix; and the seconds
until the places of clients that vanished are free again.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import http.client
import io
import json
import socket
import statistics
import tempfile
import time
import wave
from pathlib import Path
from typing import Any

import redis
from simple_websocket import Client, ConnectionClosed  # type: ignore[import-untyped] # it has no types

from benchmarks.stack import Server, machine, print_table
from benchmarks.uploads import make_user
from speakr.live import RedisLiveFeed
from tests.support.sockets import WholeClient

PER_USER = 10
"""Fewer than the streams that one user may have open."""
ROUNDS = 5
GOAL_RATIO, GOAL_FRAME_SECONDS, GOAL_FREE_SECONDS = 1.2, 1.5, 30.0


def silence() -> bytes:
    """Return a WAV file of one second."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(32_000))
    return buffer.getvalue()


class User:
    """A user with a token and one recording that waits."""

    def __init__(self, server: Server, name: str) -> None:
        self._port = server.port
        self._token = make_user(server, name)
        head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
        body = head + silence() + b"\r\n--b--\r\n"
        self.job: str = self.call("POST", "/saled/api/transcribe/", body)["job_id"]
        self.recording_id: int = self.call("GET", "/api/v1/recordings")["recordings"][0]["id"]

    def call(self, method: str, path: str, body: bytes | None = None) -> Any:
        """Send a request and return the JSON of its answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        headers = {
            "Authorization": f"Bearer {self._token}",
            "Content-Type": "multipart/form-data; boundary=b",
        }
        with contextlib.closing(connection):
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            shown = answer.read()
            assert answer.status < 300, (answer.status, shown)
            return json.loads(shown)

    def connect(self) -> Client:
        """Open a WebSocket and read its first frame."""
        url = f"ws://127.0.0.1:{self._port}/saled/api/transcribe/live/{self.job}"
        client = WholeClient.connect(url, headers={"Authorization": f"Bearer {self._token}"})
        assert json.loads(client.receive(timeout=30))["status"] == "processing"
        return client


def time_requests(user: User, count: int) -> list[float]:
    """Return the seconds of plain GET requests."""
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        user.call("GET", "/api/v1/recordings")
        taken.append(time.perf_counter() - began)
    return taken


def p95(values: list[float]) -> float:
    """Return the 95th percentile."""
    return statistics.quantiles(values, n=20)[-1]


def measure_idle(users: list[User], count: int, requests: int) -> list[str]:
    """Compare requests with and without idle sockets."""
    alone: list[float] = []
    beside: list[float] = []
    for _ in range(ROUNDS):
        alone += time_requests(users[0], requests // ROUNDS)
        with contextlib.ExitStack() as stack:
            for number in range(count):
                stack.callback(users[number // PER_USER].connect().close)
            beside += time_requests(users[0], requests // ROUNDS)
    ratio = p95(beside) / p95(alone)
    shown = f"{p95(alone) * 1000:.1f} / {p95(beside) * 1000:.1f} ms, ratio {ratio:.2f}"
    return [f"p95 of a GET, without / with {count} idle sockets", shown, f"ratio {GOAL_RATIO}"]


def measure_frames(server: Server, users: list[User], count: int) -> list[list[str]]:
    """Publish a segment of each job, and time its frames."""
    clients = [(user, user.connect()) for user in users for _ in range(count // len(users))]
    feed = RedisLiveFeed(redis.Redis.from_url(f"unix://{server.folder}/redis.sock"))
    published: dict[str, float] = {}

    def first_segment(user: User, client: Client) -> tuple[float, bool]:
        while "text" not in (frame := json.loads(client.receive(timeout=60))):
            pass
        return time.perf_counter() - published[user.job], frame["text"] == user.job

    with concurrent.futures.ThreadPoolExecutor(len(clients)) as pool:
        waiting = [pool.submit(first_segment, user, client) for user, client in clients]
        for user in users:
            published[user.job] = time.perf_counter()
            segment = {"id": "0.0", "start": 0.0, "end": 0.5, "text": user.job, "speaker": "SPEAKER_00"}
            feed.publish(user.recording_id, "segment", {**segment, "confidence": 0.9})
        found = [each.result() for each in waiting]
    for _, client in clients:
        client.close()
    seconds = [each[0] for each in found]
    return [
        [
            f"segment published to frame received, {len(seconds)} sockets, median / worst",
            f"{statistics.median(seconds):.3f} / {max(seconds):.3f} s",
            f"{GOAL_FRAME_SECONDS} s",
        ],
        ["frames of the other job", str(sum(not is_own for _, is_own in found)), "0"],
    ]


def measure_vanished(user: User) -> list[str]:
    """Cut all connections of a user without a word, and wait until as many are accepted again."""
    for client in [user.connect() for _ in range(PER_USER)]:
        client.sock.shutdown(socket.SHUT_RDWR)
    began = time.perf_counter()
    clients: list[Client] = []
    while len(clients) < 32:
        try:
            clients.append(user.connect())
        except (ConnectionClosed, TypeError):
            time.sleep(0.2)
    seconds = time.perf_counter() - began
    for client in clients:
        client.close()
    return [
        "seconds until the places of vanished clients are free",
        f"{seconds:.1f}",
        f"{GOAL_FREE_SECONDS:.0f}",
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sockets", type=int, default=40)
    parser.add_argument("--requests", type=int, default=300)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="spk-sockets-") as folder, Server(Path(folder)) as server:
        users = [User(server, name) for name in ("first", "second", "third", "fourth")]
        rows = [
            measure_idle(users, asked.sockets, asked.requests),
            *measure_frames(server, users, asked.sockets),
            measure_vanished(users[0]),
        ]
    print_table(machine(), ["what", "measured", "goal"], rows)


if __name__ == "__main__":
    main()
