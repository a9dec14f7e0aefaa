"""What the parts of the client share: a connection, and lists that come in pages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from speakr.client.transport import Json, Transport


class Requests:
    """Requests to one server; `_transport` sends them."""

    _transport: Transport

    def _get(self, path: str, **params: Any) -> Json:
        return self._transport.ask("GET", path, params=params)

    def _pages(self, path: str, key: str, per_page: int, **params: Any) -> Iterator[Json]:
        number = 1
        while True:
            page = self._get(path, page=number, per_page=per_page, **params)
            yield from page[key]
            if not page["pagination"]["has_next"]:
                return
            number += 1
