"""A server of one large file, with ranges (RFC 9110, section 14), that can stop in the middle."""

from __future__ import annotations

import contextlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

ETAG = '"the file"'
_PIECE_BYTES = 256 * 1024


class FileServer:
    """Serves `data` under every path. The first response stops after `holds_at` bytes until `go_on` is set."""

    def __init__(self, data: bytes, holds_at: int) -> None:
        self.ranges: list[str | None] = []
        """The `Range` of each request."""
        self.go_on = threading.Event()
        outer = self

        class _Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.ranges.append(self.headers.get("Range"))
                is_first = len(outer.ranges) == 1
                asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
                start = int(asked[1]) if asked and self.headers.get("If-Range") == ETAG else 0
                self.send_response(206 if start else 200)
                self.send_header("ETag", ETAG)
                self.send_header("Content-Type", "audio/wav")
                self.send_header("Content-Length", str(len(data) - start))
                if start:
                    self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
                self.end_headers()
                with contextlib.suppress(ConnectionError):
                    for place in range(start, len(data), _PIECE_BYTES):
                        if is_first and place >= holds_at:
                            outer.go_on.wait()
                        self.wfile.write(data[place : place + _PIECE_BYTES])

            def log_message(self, *_: object) -> None:
                """Be quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/long.wav"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.go_on.set()
        self._server.shutdown()
        self._server.server_close()
