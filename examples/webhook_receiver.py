"""Receive Speakr's webhooks: check the signature, answer at once, work afterwards. Standard library only.

SPEAKR_WEBHOOK_SECRET=... python3 webhook_receiver.py [port]
"""
# ruff: noqa: INP001, PLR2004, T201, TID251 - a script on its own, not a part of the server

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import queue
import sys
import threading
import time
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRET = os.environ["SPEAKR_WEBHOOK_SECRET"].encode()
OLDEST_SECONDS = 300
MAX_BODY_BYTES = 1024 * 1024

events: queue.Queue[dict[str, Any]] = queue.Queue()


def whole_number(text: str | None) -> int:
    """Read a header's number; 0 for what is none."""
    return int(text) if text and text.isdecimal() and len(text) <= 12 else 0


def is_genuine(headers: Message, body: bytes) -> bool:
    """Check `webhook-signature`: it covers id, time and body, so an old request cannot be sent again."""
    sent_at = headers.get("webhook-timestamp", "")
    if abs(time.time() - whole_number(sent_at)) > OLDEST_SECONDS:
        return False
    signed = f"{headers.get('webhook-id', '')}.{sent_at}.".encode() + body
    digest = hmac.new(SECRET, signed, hashlib.sha256).digest()
    wanted = b"v1," + base64.b64encode(digest)
    # For a day after a rotation there are two signatures; one that fits is enough.
    given = headers.get("webhook-signature", "").encode().split()
    return any(hmac.compare_digest(wanted, one) for one in given)


class Receiver(BaseHTTPRequestHandler):
    """Says 200 to what is genuine and 401 to what is not."""

    def do_POST(self) -> None:
        """Take one delivery."""
        length = whole_number(self.headers.get("Content-Length"))
        if length > MAX_BODY_BYTES:
            self.answer(413)
            return
        body = self.rfile.read(length)  # the bytes as they came: parsed and printed again they differ
        if not is_genuine(self.headers, body):
            self.answer(401)
            return
        events.put(json.loads(body))  # if you must not lose it, write it to disk here
        self.answer(200)

    def answer(self, status: int) -> None:
        """Answer without a body."""
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()


def work() -> None:
    """Handle events one by one. The same id may come twice; the second time it is dropped."""
    seen: set[str] = set()
    while True:
        event = events.get()
        if event["id"] not in seen:
            seen.add(event["id"])
            print(event["type"], json.dumps(event["data"]), flush=True)


if __name__ == "__main__":
    threading.Thread(target=work, daemon=True).start()
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 9000), Receiver)
    print(f"Listening on http://127.0.0.1:{server.server_port}/", flush=True)
    server.serve_forever()
