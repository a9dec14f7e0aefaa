"""A receiver of webhooks that counts requests."""

from __future__ import annotations

import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from tests.crash.deployment import Deployment

EVENTS = (
    "recording.created",
    "recording.transcription.started",
    "recording.transcription.completed",
    "recording.transcription.failed",
    "recording.summary.completed",
    "recording.deleted",
)


class Subscriber:
    """Answers 204 while its context is open; while `held`, it delays its responses."""

    def __init__(self) -> None:
        self._received: list[tuple[str, int, str, str]] = []
        self._may_answer = threading.Event()
        self._may_answer.set()
        subscriber = self

        class _Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                deployment, recording = self.path.removeprefix("/"), event["data"]["recording_id"]
                subscriber._received.append(
                    (deployment, recording, event["type"], self.headers["webhook-id"])
                )
                subscriber._may_answer.wait()
                self.send_response(204)
                self.end_headers()

            def handle(self) -> None:
                try:
                    super().handle()
                except OSError:
                    self.close_connection = True  # the dispatcher was killed

            def log_message(self, *_: object) -> None:
                """Be quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.answer()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def subscribe(self, deployment: Deployment) -> None:
        """Add a webhook for all events to a deployment, under a path of its own."""
        url = f"http://127.0.0.1:{self._server.server_port}/{deployment.mark}"
        form = {"name": "all", "url": url, "events": EVENTS, "allow_http": True}
        answer = deployment.call("POST", "/webhooks", json=form)
        assert answer.status_code == 201, answer.text

    def hold(self) -> None:
        """Take deliveries and do not answer, until `answer`."""
        self._may_answer.clear()

    def answer(self) -> None:
        """Answer again, the oldest request first."""
        self._may_answer.set()

    def ids(self, deployment: Deployment, recording_id: int, event_type: str) -> Counter[str]:
        """Return how often each event id of this kind came for a recording."""
        wanted = (deployment.mark, recording_id, event_type)
        return Counter(event_id for *about, event_id in list(self._received) if tuple(about) == wanted)
