"""A transcription provider on 127.0.0.1 whose response times a test controls, and that records its requests.

It implements OpenAI's `POST /audio/transcriptions`. The text depends only on the bytes of the audio, so two transcripts
are equal if, and only if, they are made of the same chunks.
"""

from __future__ import annotations

import hashlib
import io
import json
import threading
import time
import wave
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass(eq=False)
class Asked:
    """One request: the hash of its audio, and when it came and was answered (`time.monotonic()`)."""

    digest: str
    began: float
    ended: float | None = None
    was_cut_off: bool = field(default=False)
    """The client was gone when the response was ready."""


class Provider:
    """Answers while its context is open; after `hold_after(n)` only the next n requests, until `go_on()`."""

    def __init__(self, delay_seconds: float = 0.15) -> None:
        self.delay_seconds = delay_seconds
        self.asked: list[Asked] = []
        self._news = threading.Condition()
        self._answers_left: int | None = None
        self._is_closed = False
        provider = self

        class _Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                asked, answer = provider._transcribe(_audio_of(self.headers["Content-Type"], body))
                try:
                    self.send_response(200)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(answer)))
                    self.end_headers()
                    self.wfile.write(answer)
                except OSError:
                    asked.was_cut_off, self.close_connection = True, True

            def handle(self) -> None:
                try:
                    super().handle()
                except OSError:
                    self.close_connection = True  # killed in the middle of asking

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._news:
            self._is_closed = True
            self._news.notify_all()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    # -- control by tests

    def hold_after(self, count: int) -> None:
        """Answer so many more requests and keep all others waiting."""
        with self._news:
            self._answers_left = count
            self._news.notify_all()

    def go_on(self) -> None:
        """Answer everything again."""
        with self._news:
            self._answers_left = None
            self._news.notify_all()

    def forget(self) -> None:
        """Begin to count anew."""
        with self._news:
            self.asked = []

    def wait_for(self, count: int, seconds: float = 60.0) -> list[Asked]:
        """Wait until so many requests have come since `forget`, and return them."""
        with self._news:
            came = self._news.wait_for(lambda: len(self.asked) >= count, seconds)
            assert came, f"{len(self.asked)} of {count} requests came within {seconds} s"
            return list(self.asked)

    def counts(self) -> Counter[str]:
        """Return how often each piece of audio was sent since `forget`."""
        with self._news:
            return Counter(asked.digest for asked in self.asked)

    # -- what it does

    def _transcribe(self, audio: bytes) -> tuple[Asked, bytes]:
        asked = Asked(hashlib.sha256(audio).hexdigest(), time.monotonic())
        with self._news:
            self.asked.append(asked)
            self._news.notify_all()
        time.sleep(self.delay_seconds)
        with self._news:
            self._news.wait_for(self._may_answer)
            if self._answers_left is not None:
                self._answers_left -= 1
            asked.ended = time.monotonic()
        return asked, json.dumps(self.answer(asked.digest, audio)).encode()

    def answer(self, digest: str, audio: bytes) -> Mapping[str, Any]:
        """Return four words made out of the hash of the audio, spread over it (16 bit, 16 kHz)."""
        seconds = len(audio) / 32_000
        words = [f"w{digest[at : at + 6]}" for at in range(0, 24, 6)]
        times = [round(seconds * at / len(words), 3) for at in range(len(words) + 1)]
        return {
            "language": "english",
            "text": " ".join(words),
            "segments": [{"start": 0.0, "end": seconds, "text": " ".join(words), "avg_logprob": -0.25}],
            "words": [
                {"word": word, "start": times[at], "end": times[at + 1]} for at, word in enumerate(words)
            ],
        }

    def _may_answer(self) -> bool:
        return self._is_closed or self._answers_left is None or self._answers_left > 0


def _audio_of(content_type: str, body: bytes) -> bytes:
    """Return the samples out of the form (RFC 7578); the boundary is in no part's content."""
    boundary = content_type.partition("boundary=")[2].strip('"').encode()
    for part in body.split(b"--" + boundary):
        head, _, content = part.partition(b"\r\n\r\n")
        if b'name="file"' in head:
            with wave.open(io.BytesIO(content.removesuffix(b"\r\n"))) as file:
                return file.readframes(file.getnframes())
    raise AssertionError("no file in the form")
