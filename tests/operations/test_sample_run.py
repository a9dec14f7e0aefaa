"""The sample run when things go wrong, against a server that plays its part badly."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from speakr.operations import sample_run
from speakr.operations.sample import SAMPLE
from speakr.operations.sample_run import Caller, SampleFailed


class BadServer:
    """Responds as scripted, and records its requests."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.uploaded = b""
        self.answers: dict[str, tuple[int, Any]] = {
            "POST /api/v1/webhooks": (201, {"id": 5, "secret": "s"}),
            "DELETE /api/v1/webhooks/5": (204, None),
            "POST /api/v1/recordings/upload": (202, {"id": 1}),
            "GET /api/v1/recordings/1/transcript": (200, {"segments": []}),
            "GET /api/v1/recordings/1/summary": (200, {"summary": None}),
            "GET /api/v1/recordings/1/live": (200, 'event: status\ndata: {"status": "COMPLETED"}\n\n'),
        }
        server = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                asked = f"{self.command} {self.path.partition('?')[0]}"
                server.asked.append(asked)
                if asked.endswith("/upload"):
                    server.uploaded = body
                status, answer = server.answers[asked]
                content = b"" if answer is None else answer if isinstance(answer, str) else json.dumps(answer)
                content = content.encode() if isinstance(content, str) else content
                self.send_response(status)
                if status != 204:
                    self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_DELETE = _answer  # noqa: N815 - the names http.server looks for

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"


@pytest.fixture
def server() -> Iterator[BadServer]:
    made = BadServer()
    thread = threading.Thread(target=made.http.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.http.shutdown()
    thread.join()
    made.http.server_close()


def run(server: BadServer) -> None:
    caller = Caller(server.url, "token")
    try:
        sample_run.run(caller, engine="embedded")
    finally:
        caller.close()


def test_a_failed_transcription_is_reported_and_the_webhook_deleted(server: BadServer) -> None:
    printed = {"status": "FAILED", "error_message": "The provider refused the key."}
    server.answers["GET /api/v1/recordings/1/live"] = (200, f"event: status\ndata: {json.dumps(printed)}\n\n")
    with pytest.raises(SampleFailed, match=r"Processing failed: The provider refused the key\."):
        run(server)
    assert SAMPLE.read_bytes() in server.uploaded
    assert server.asked[-1] == "DELETE /api/v1/webhooks/5"


def test_a_refused_upload_is_reported_and_the_webhook_deleted(server: BadServer) -> None:
    server.answers["POST /api/v1/recordings/upload"] = (507, {"error": "The server's storage is full."})
    with pytest.raises(SampleFailed, match=r"answered with 507: The server's storage is full\."):
        run(server)
    assert server.asked[-1] == "DELETE /api/v1/webhooks/5"


def test_no_delivery_is_a_failure(server: BadServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample_run, "_DELIVERY_SECONDS", 0.1)
    with pytest.raises(SampleFailed, match="No genuine webhook came"):
        run(server)


def test_a_webhook_forbidden_by_the_operators_list_is_not_a_failure(
    server: BadServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answers["POST /api/v1/webhooks"] = (400, {"error": "127.0.0.1 is not public."})
    run(server)
    assert "Webhook: not shown." in capsys.readouterr().out
    assert "DELETE /api/v1/webhooks/5" not in server.asked


def test_a_server_that_went_away() -> None:
    caller = Caller("http://127.0.0.1:1", "token")
    with pytest.raises(SampleFailed, match="does not answer"):
        sample_run.run(caller, engine="embedded")
    caller.close()
