"""The example receivers: one that listens, and one that a web server runs for each request."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

MIB = 1024 * 1024


class Receiver(Protocol):
    """What takes deliveries."""

    def post(self, body: bytes, headers: dict[str, str]) -> int:
        """Send a request; return the status."""
        ...

    def post_large(self, size: int, headers: dict[str, str]) -> int:
        """Send so many bytes to a server that may refuse them."""
        ...

    def next_line(self) -> str:
        """Return type and data of the next event that was handled."""
        ...


@dataclass
class Listening:
    """A receiver that listens, and what it prints."""

    process: subprocess.Popen[str]
    port: int

    def post(self, body: bytes, headers: dict[str, str]) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("POST", "/", body, headers)
            return connection.getresponse().status
        finally:
            connection.close()

    def post_large(self, size: int, headers: dict[str, str]) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.putrequest("POST", "/")
            connection.putheader("Content-Length", str(size))
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders()
            with contextlib.suppress(OSError):  # it may have stopped listening
                connection.send(b" " * size)
            return connection.getresponse().status
        finally:
            connection.close()

    def next_line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")


@contextlib.contextmanager
def listening(interpreter: str, script: Path, secret: str) -> Iterator[Listening]:
    """Start a receiver on a free port."""
    process = subprocess.Popen(
        [interpreter, script, "0"],
        env={"PATH": os.environ["PATH"], "SPEAKR_WEBHOOK_SECRET": secret},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    found = re.fullmatch(r"Listening on http://127\.0\.0\.1:(\d+)/\n", process.stdout.readline())
    try:
        assert found is not None
        yield Listening(process, int(found[1]))
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@dataclass
class Cgi:
    """A program that is run for each request as a web server would (RFC 3875), and the file it writes to."""

    script: Path
    secret: str
    folder: Path
    lines_read: int = 0

    def post(self, body: bytes, headers: dict[str, str]) -> int:
        return self._run(body, headers, len(body))

    def post_large(self, size: int, headers: dict[str, str]) -> int:
        return self._run(b"", headers, size)

    def _run(self, body: bytes, headers: dict[str, str], length: int) -> int:
        fields = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
        done = subprocess.run(
            ["bash", self.script],  # noqa: S607 - as a reader would run it
            input=body,
            env={
                "PATH": os.environ["PATH"],
                "SPEAKR_WEBHOOK_SECRET": self.secret,
                "SPEAKR_WEBHOOK_FOLDER": str(self.folder),
                "REQUEST_METHOD": "POST",
                "CONTENT_LENGTH": str(length),
                **fields,
            },
            capture_output=True,
            timeout=30,
            check=False,
        )
        found = re.match(rb"Status: (\d{3}) [ \w]+\r\nContent-Length: 0\r\n\r\n$", done.stdout)
        assert done.returncode == 0, done.stderr
        assert found is not None, done.stdout
        assert list(self.folder.glob("body.*")) == []
        return int(found[1])

    def next_line(self) -> str:
        event = json.loads((self.folder / "events.jsonl").read_text().splitlines()[self.lines_read])
        self.lines_read += 1
        return f"{event['type']} {json.dumps(event['data'])}"
