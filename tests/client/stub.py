"""A server with scripted responses that records its requests."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Answer:
    """The response to one request; with `hangs_up_after`, none, and the connection closes after so many body bytes."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    hangs_up_after: int | None = None


@dataclass(frozen=True)
class Asked:
    """One request. Only the beginning of a body is stored."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes
    length: int


def error(status: int, code: str, sentence: str, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, {"error": sentence, "code": code, "request_id": "r-1"}, named)


HANGS_UP = Answer(hangs_up_after=0)
KEPT_BYTES = 64 * 1024


class _QuietServer(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Some tests close connections on purpose."""


class Stub:
    """Responds in the scripted order; one request too many gets a 599."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self._answers: list[Answer] = []
        stub = self

        class _Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                stub._handle(self)

            do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - names that http.server looks for

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        self._server = _QuietServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def will(self, *answers: Answer | dict[str, Any]) -> None:
        self._answers += [each if isinstance(each, Answer) else Answer(body=each) for each in answers]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handle(self, handler: BaseHTTPRequestHandler) -> None:
        answer = self._answers.pop(0) if self._answers else Answer(599)
        length = int(handler.headers.get("Content-Length") or 0)
        taken = length if answer.hangs_up_after is None else min(length, answer.hangs_up_after)
        body, left = b"", taken
        while left:
            piece = handler.rfile.read1(min(left, KEPT_BYTES))
            if not piece:
                break
            left -= len(piece)
            body += piece[: KEPT_BYTES - len(body)]
        address = urlsplit(handler.path)
        self.asked.append(
            Asked(
                handler.command,
                address.path,
                parse_qs(address.query),
                dict(handler.headers),
                body,
                taken - left,
            )
        )
        if answer.hangs_up_after is not None or left:
            _hang_up(handler)
            return
        content = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        content = b"" if answer.body is None else content
        handler.send_response(answer.status)
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)


def _hang_up(handler: BaseHTTPRequestHandler) -> None:
    """Reset the connection, as a crashed host does."""
    handler.close_connection = True
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.shutdown(socket.SHUT_RD)
    handler.rfile.close()
    handler.wfile.close()
    handler.connection.close()
