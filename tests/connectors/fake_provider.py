"""A provider on 127.0.0.1 with scripted responses, valid and invalid."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MAX_HANG_SECONDS = 10.0


@dataclass(frozen=True)
class Reply:
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    hang: bool = False
    reset: bool = False
    cut_short: bool = False
    drip_seconds: float = 0.0
    """One byte, then a pause of so long, and so on."""
    endless: bool = False


@dataclass(frozen=True)
class Request:
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, list[bytes]]:
        """Return the multipart fields; a repeated one has several values."""
        found: dict[str, list[bytes]] = {}
        for part in self._parts():
            found.setdefault(str(part.get_param("name", header="content-disposition")), []).append(
                part.get_payload(decode=True)
            )
        return found

    def file_name(self, name: str) -> str | None:
        return next(
            part.get_filename()
            for part in self._parts()
            if part.get_param("name", header="content-disposition") == name
        )

    def _parts(self) -> list[Any]:
        head = f"Content-Type: {self.headers['content-type']}\r\n\r\n".encode()
        return list(message_from_bytes(head + self.body).get_payload())


def json_reply(content: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    return Reply(
        status, json.dumps(content).encode(), {"Content-Type": "application/json", **(headers or {})}
    )


def error_reply(status: int, headers: Mapping[str, str] | None = None) -> Reply:
    """Respond like the real provider, with the key and internals in the message."""
    error = {"message": "Incorrect API key provided: sk-secret. /srv/app/main.py", "code": "some_code"}
    return json_reply({"error": error}, status, headers)


class FakeProvider:
    """Calls `answer` for each request and records every request."""

    def __init__(self) -> None:
        self.answer: Callable[[Request], Reply] = lambda _: Reply(status=500)
        self.requests: list[Request] = []
        self.released = threading.Event()
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                request = Request(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
                provider.requests.append(request)
                provider._send(self, provider.answer(request))

            def do_GET(self) -> None:
                self.do_POST()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def answers(self, reply: Reply) -> None:
        self.answer = lambda _: reply

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _send(self, handler: BaseHTTPRequestHandler, reply: Reply) -> None:
        if reply.hang:
            self.released.wait(MAX_HANG_SECONDS)
            return
        if reply.reset:
            no_lingering = struct.pack("ii", 1, 0)
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_lingering)
            handler.connection.shutdown(socket.SHUT_RD)
            handler.connection.close()
            return
        if reply.endless or reply.drip_seconds:
            self._send_slowly(handler, reply)
            return
        handler.send_response(reply.status)
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(reply.body) + (100 if reply.cut_short else 0)))
        handler.end_headers()
        handler.wfile.write(reply.body)

    def _send_slowly(self, handler: BaseHTTPRequestHandler, reply: Reply) -> None:
        handler.send_response(reply.status)
        handler.end_headers()
        try:
            while not self.released.wait(reply.drip_seconds):
                handler.wfile.write(b" " * (1_000_000 if reply.endless else 1))
        except OSError:
            pass  # the client has closed the connection
