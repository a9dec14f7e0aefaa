"""A small webhook receiver on 127.0.0.1 that checks signatures as any subscriber would."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

_MAX_BODY_BYTES = 1024 * 1024


def is_genuine(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Check both signatures of a delivery: Speakr's over the body, Standard Webhooks' over id, time and body.

    `headers` has its names in lower case.
    """
    key = secret.encode()
    ours = "sha256=" + hmac.new(key, body, hashlib.sha256).hexdigest()
    signed = f"{headers.get('webhook-id', '')}.{headers.get('webhook-timestamp', '')}.".encode() + body
    standard = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    given = headers.get("webhook-signature", "").split()
    return hmac.compare_digest(ours, headers.get("speakr-signature", "")) and any(
        hmac.compare_digest(standard, one) for one in given
    )


def _lower_cased(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers}


class Receiver:
    """Listens while its context is open; `wait_for` tells of one genuine delivery."""

    def __init__(self) -> None:
        self.secret = ""
        """Set once the webhook has been made; nothing is genuine before."""
        self.refused_count = 0
        self._received: dict[str, dict[str, Any]] = {}
        self._news = threading.Condition()
        receiver = self

        class _Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                size = min(int(self.headers.get("Content-Length") or 0), _MAX_BODY_BYTES)
                was_genuine = receiver.take(_lower_cased(self.headers.items()), self.rfile.read(size))
                self.send_response(204 if was_genuine else 401)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Log nothing: the output is the operator's terminal."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}/"

    def take(self, headers: Mapping[str, str], body: bytes) -> bool:
        """Keep a delivery if it is genuine, and tell whether it was."""
        with self._news:
            was_genuine = bool(self.secret) and is_genuine(self.secret, headers, body)
            if was_genuine:
                envelope = json.loads(body)
                self._received[envelope["type"]] = envelope
            else:
                self.refused_count += 1
            self._news.notify_all()
            return was_genuine

    def wait_for(self, event_type: str, seconds: float) -> dict[str, Any] | None:
        """Return the envelope of this event, or None if it does not come in time."""
        with self._news:
            self._news.wait_for(lambda: event_type in self._received, seconds)
            return self._received.get(event_type)
