"""Limits on the head of an answer.

aiohttp limits the size and the number of headers but not their sum, and accepts any number of interim answers (100 to
199). A receiver could make the dispatcher hold megabytes per connection and keep its event loop busy. Bodies need no
limit: the dispatcher does not read them to the end, and reading pauses without a reader.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import BadHttpMessage

MAX_HEAD_BYTES = 65_536
MAX_INTERIM = 16
_AT_ONCE = 4_096
_FIRST_FINAL_STATUS = 200
_END_OF_HEAD = b"\r\n\r\n"


class FrugalHandler(ResponseHandler):
    """One connection of aiohttp's client, with a limit on the head of each answer."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, needs_body: bool = False) -> None:
        super().__init__(loop)
        self._needs_body = needs_body
        self._begin()

    def _begin(self) -> None:
        self._head_bytes = 0
        self._interim_count = 0
        self._has_head = False
        self._tail = b""

    def set_response_params(self, **options: Any) -> None:
        """Reset the counts for the answer to the next request."""
        self._begin()
        super().set_response_params(**options)

    def feed_data(self, data: Any, size: int = 0) -> None:
        """Count a head, interim or final, and pass it on."""
        if data[0].code >= _FIRST_FINAL_STATUS:
            self._has_head = True
        else:
            self._interim_count += 1
        super().feed_data(data, size)

    def data_received(self, data: bytes) -> None:
        """Parse received bytes, at most 4,096 at a time until the head is complete."""
        start = 0
        while start < len(data) and not self._has_head:
            piece = self._up_to_end_of_head(data[start : start + _AT_ONCE])
            start += len(piece)
            self._head_bytes += len(piece)
            super().data_received(piece)
            if self._is_too_much():
                self.set_exception(BadHttpMessage("The head of the answer is too long."))
                if self.transport is not None:
                    self.transport.close()
            if self.exception() is not None:
                return
        if start < len(data) or not data:
            super().data_received(data[start:])

    def _up_to_end_of_head(self, piece: bytes) -> bytes:
        """Return the part of a piece that ends a head, or all of it.

        Parsed on its own, a head counts even if the body that came together with it is broken.
        """
        if self._needs_body:
            return piece
        known = self._tail + piece
        end = known.find(_END_OF_HEAD)
        if end >= 0:
            piece = piece[: end + len(_END_OF_HEAD) - len(self._tail)]
        self._tail = b"" if end >= 0 else known[1 - len(_END_OF_HEAD) :]
        return piece

    def _is_too_much(self) -> bool:
        if self._has_head:
            return False
        return self._head_bytes > MAX_HEAD_BYTES or self._interim_count > MAX_INTERIM
