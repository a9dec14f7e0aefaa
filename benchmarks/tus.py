"""A large resumable upload over a connection that breaks, to a server that is killed once.

python -m benchmarks.tus [--megabytes 2000] [--cuts 20] [--database URL]

Sends a WAV file of noise by tus 1.0. The connection is reset after a random number of bytes, the given number of times,
and in the middle of one request the web process is killed with SIGKILL and restarted. Prints the time, the bytes that
were sent twice, the maximum resident memory of a web process, the longest wait of another client's `GET /healthz`
meanwhile, and whether the SHA-256 of the stored audio is that of the file.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import http.client
import json
import random
import socket
import struct
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

from benchmarks.stack import Server, machine, print_table
from benchmarks.uploads import MIB, NOISE, make_user, peak_bytes, wav_head

MB = 1_000_000
TIMEOUT_SECONDS = 600.0


def blocks(size_bytes: int, start: int, end: int) -> Iterator[bytes]:
    """Yield the bytes of the file from `start` to `end`, up to a MiB at a time."""
    head = wav_head(size_bytes - 44)
    while start < end:
        if start < len(head):
            block = head[start:end]
        else:
            within = (start - len(head)) % MIB
            block = NOISE[within : within + end - start]
        yield block
        start += len(block)


@dataclass(slots=True)
class Sender:
    """A client that closes its connection at a given byte."""

    port: int
    token: str
    size_bytes: int
    path: str = ""
    sent_bytes: int = 0
    longest_wait_seconds: float = 0.0
    finishing_seconds: float = 0.0
    peaks: dict[int, int] = field(default_factory=dict)

    def ask(self, method: str, path: str, **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
        """Send a request without a body and return its answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_SECONDS)
        with contextlib.closing(connection):
            named = {name.replace("_", "-"): text for name, text in headers.items()}
            connection.request(
                method,
                path,
                headers={"Authorization": f"Bearer {self.token}", "Tus-Resumable": "1.0.0", **named},
            )
            answer = connection.getresponse()
            return answer, answer.read()

    def open(self) -> None:
        """Create the upload."""
        answer, body = self.ask("POST", "/api/v1/uploads", Upload_Length=str(self.size_bytes))
        assert answer.status == 201, body
        self.path = answer.headers["Location"]

    def offset(self) -> int:
        """Return the offset at which to continue."""
        return int(self.ask("HEAD", self.path)[0].headers["Upload-Offset"])

    def wait_for_lock(self) -> int:
        """Send empty pieces until one is not refused because of the previous request; return the offset."""
        while True:
            offset = self.offset()
            headers = {"Upload_Offset": str(offset), "Content_Type": "application/offset+octet-stream"}
            if self.ask("PATCH", self.path, **headers)[0].status == HTTPStatus.NO_CONTENT:
                return offset
            time.sleep(0.05)

    def send(self, offset: int, until: int) -> int:
        """Send the rest of the file, but stop at `until`; return the status, or 0 after a break."""
        head = (
            f"PATCH {self.path} HTTP/1.1\r\nHost: benchmark\r\nAuthorization: Bearer {self.token}\r\n"
            f"Tus-Resumable: 1.0.0\r\nContent-Type: application/offset+octet-stream\r\nUpload-Offset: {offset}\r\n"
            f"Content-Length: {self.size_bytes - offset}\r\nConnection: close\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT_SECONDS) as connection:
            try:
                connection.sendall(head.encode())
                for block in blocks(self.size_bytes, offset, until):
                    connection.sendall(block)
                    self.sent_bytes += len(block)
            except OSError:  # refused while it was sent: the response may be there
                if until < self.size_bytes:
                    return 0
            if until < self.size_bytes:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return 0
            began = time.perf_counter()
            answer = http.client.HTTPResponse(connection)
            try:
                answer.begin()
            except (OSError, http.client.HTTPException):
                return 0
            answer.read()
            self.finishing_seconds = time.perf_counter() - began
            return answer.status


def run(server: Server, sender: Sender, cut_count: int) -> None:
    """Send the file with this many breaks, and kill the server halfway."""
    rng = random.Random(3)
    cuts = sorted(rng.randrange(sender.size_bytes) for _ in range(cut_count))
    sender.open()
    for number, place in enumerate(cuts):
        offset = sender.wait_for_lock()
        cut = place if place > offset else min(offset + MIB, sender.size_bytes - 1)
        if number == cut_count // 2:
            _send_and_kill(server, sender, offset, cut)
        else:
            sender.send(offset, cut)
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while sender.send(sender.wait_for_lock(), sender.size_bytes) != HTTPStatus.NO_CONTENT:
        assert time.monotonic() < deadline, "not finished"


def _send_and_kill(server: Server, sender: Sender, offset: int, cut: int) -> None:
    """Kill the web process while it receives. The lock of the interrupted request ends by itself."""
    note_peaks(server, sender)
    sending = threading.Thread(target=sender.send, args=(offset, cut))
    sending.start()
    time.sleep(0.5)
    server.kill_web()
    sending.join()


def note_peaks(server: Server, sender: Sender) -> None:
    """Store the high-water mark of each web process."""
    for pid in server.pids_below(server.web.pid):
        with contextlib.suppress(OSError, StopIteration):
            sender.peaks[pid] = max(sender.peaks.get(pid, 0), peak_bytes(pid))


def watch(server: Server, sender: Sender, done: threading.Event) -> None:
    """Request `/healthz` repeatedly as another client; times during a restart of the server do not count."""
    while not done.wait(0.05):
        began, web = time.perf_counter(), server.web
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{sender.port}/healthz", timeout=60).close()
        except OSError:
            continue  # killed, for the moment
        if web is not server.web or web.poll() is not None or not server.is_up.is_set():
            continue
        sender.longest_wait_seconds = max(sender.longest_wait_seconds, time.perf_counter() - began)


def stored_sha256(sender: Sender) -> str:
    """Download the recording's audio and hash it."""
    _, body = sender.ask("GET", sender.path)
    number = json.loads(body)["recording_id"]
    request = urllib.request.Request(
        f"http://127.0.0.1:{sender.port}/api/v1/recordings/{number}/audio",
        headers={"Authorization": f"Bearer {sender.token}"},
    )
    digest = hashlib.sha256()
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as audio:  # noqa: S310 - our own server
        while block := audio.read(MIB):
            digest.update(block)
    return digest.hexdigest()


def expected_sha256(size_bytes: int) -> str:
    """Hash the file as it was sent."""
    digest = hashlib.sha256()
    for block in blocks(size_bytes, 0, size_bytes):
        digest.update(block)
    return digest.hexdigest()


def main() -> None:
    """Send one file and print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megabytes", type=int, default=2000)
    parser.add_argument("--cuts", type=int, default=20)
    parser.add_argument("--database", default="")
    asked = parser.parse_args()
    size_bytes = asked.megabytes * MB
    with tempfile.TemporaryDirectory() as name, Server(Path(name), asked.database) as server:
        rest_bytes = server.web_rss_bytes() / MIB
        sender = Sender(server.port, make_user(server, "sender"), size_bytes)
        done = threading.Event()
        other = threading.Thread(target=watch, args=(server, sender, done))
        other.start()
        began = time.perf_counter()
        try:
            run(server, sender, asked.cuts)
            seconds = time.perf_counter() - began
        finally:
            done.set()
            other.join()
        note_peaks(server, sender)
        is_right = stored_sha256(sender) == expected_sha256(size_bytes)
        database = server.database_name
    print(machine())
    print_table(
        f"{asked.megabytes} MB by tus, {asked.cuts} breaks and a killed web process, {database}",
        ["time, s", "last answer, s", "sent twice, MB", "peak RSS of a web process (two at rest), MiB", "longest GET, s", "SHA-256"],
        [[
            f"{seconds:.1f}", f"{sender.finishing_seconds:.1f}", f"{(sender.sent_bytes - size_bytes) / MB:.0f}",
            f"{max(sender.peaks.values()) / MIB:.0f} ({rest_bytes:.0f})", f"{sender.longest_wait_seconds:.2f}",
            "matches" if is_right else "DIFFERS",
        ]],
    )  # fmt: skip
    assert is_right


if __name__ == "__main__":
    main()
