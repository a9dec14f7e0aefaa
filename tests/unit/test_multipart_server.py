"""Uploads through the server that runs in production, over a socket."""

import http.client
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

APP = """
from flask import Flask, jsonify, request
from speakr.domain.errors import SpeakrError
from speakr.web.multipart import receive_upload
from tests.unit.incoming import incoming

app = Flask(__name__)
seen = {"opened": 0, "aborted": 0, "slugs": []}

class Sink:
    def write(self, data): return len(data)
    def commit(self): pass
    def abort(self): seen["aborted"] += 1

def open_sink():
    seen["opened"] += 1
    return Sink()

@app.post("/")
def upload():
    target = incoming(open_sink, 8 << 20)
    receive_upload(request, target).require_file()
    return jsonify(size=target.size_bytes, sha256=target.sha256)

@app.get("/")
def show():
    return jsonify(seen)

@app.errorhandler(SpeakrError)
def refuse(error):
    seen["slugs"].append(error.slug)
    return jsonify(code=error.slug), 413
"""
HEAD = b'--B\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
TAIL = b"\r\n--B--\r\n"

pytestmark = pytest.mark.stack


class Connection(http.client.HTTPConnection):
    """HTTP over a unix socket, so that no port is taken."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(str(self._path))


def upload(
    server: Path, header: tuple[str, str], pieces: Iterable[bytes], *, hang_up: bool = False
) -> tuple[int, bytes]:
    """Send a form and return status and body; with `hang_up` go away instead of waiting for them."""
    with closing(Connection(server)) as connection:
        connection.putrequest("POST", "/")
        connection.putheader("Content-Type", "multipart/form-data; boundary=B")
        connection.putheader(*header)
        connection.endheaders()
        for piece in pieces:
            connection.send(piece)
        if hang_up:
            return 0, b""
        answer = connection.getresponse()
        return answer.status, answer.read()


def seen(server: Path) -> bytes:
    """Ask the app what it has met."""
    with closing(Connection(server)) as connection:
        connection.request("GET", "/")
        return connection.getresponse().read()


def chunks(body: bytes) -> Iterator[bytes]:
    for start in range(0, len(body), 100_001):
        piece = body[start : start + 100_001]
        yield b"%x\r\n%s\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "uploads_app.py").write_text(APP)
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(16)  # before the server starts, so that no connection is ever refused
        bind = f"fd://{listener.fileno()}"
        command = ["gunicorn", "-k", "gevent", "--no-control-socket", "--chdir", str(tmp_path), "-b", bind]
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                *command,
                "--pythonpath",
                str(Path(__file__).parents[2]),
                "uploads_app:app",
            ],
            stderr=subprocess.DEVNULL,
            pass_fds=[listener.fileno()],
        )
    yield path
    process.terminate()
    process.wait(10)


def test_uploads_through_the_real_server(server: Path) -> None:
    """One server for the whole story, since starting it is the slow part."""
    body = HEAD + bytes(range(256)) * 4096 + TAIL
    declared = ("Content-Length", str(len(body)))
    chunked = ("Transfer-Encoding", "chunked")

    status, answer = upload(server, declared, [body])
    assert (status, b'"size":1048576' in answer) == (200, True)
    assert upload(server, chunked, chunks(body)) == (200, answer)

    # refused before it is read, and the sender still gets to see why
    too_long = ("Content-Length", str(20 << 20))
    assert upload(server, too_long, [bytes(1 << 20)] * 20) == (413, b'{"code":"too_large"}\n')
    assert seen(server) == b'{"aborted":0,"opened":2,"slugs":["too_large"]}\n'

    upload(server, declared, [body[:500_000]], hang_up=True)
    upload(server, chunked, list(chunks(body))[:5], hang_up=True)
    bad_chunk = [*list(chunks(body))[:4], b"not a length\r\n"]
    assert upload(server, chunked, bad_chunk) == (413, b'{"code":"incomplete_upload"}\n')
    expected = b'{"aborted":3,"opened":5,"slugs":["too_large"' + b',"incomplete_upload"' * 3 + b"]}\n"
    until = time.monotonic() + 10
    while seen(server) != expected and time.monotonic() < until:
        time.sleep(0.02)
    assert seen(server) == expected
