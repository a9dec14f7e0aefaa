"""A file on its way into a sink of the test's own, which can be looked into."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from speakr.services.recordings.size_limits import MIB, SizeLimits
from speakr.services.recordings.uploads import IncomingFile
from speakr.storage.base import Sink, Storage, StorageFull


class MemorySink:
    """A sink that can be looked into."""

    def __init__(self, room: int = 1 << 40) -> None:
        self.data = bytearray()
        self.room = room
        self.state = "open"

    def write(self, data: bytes) -> int:
        if len(self.data) + len(data) > self.room:
            raise StorageFull
        self.data += data
        return len(data)

    def commit(self) -> None:
        self.state = "committed"

    def abort(self) -> None:
        if self.state == "open":
            self.state = "aborted"


class _OneSink:
    """As much of a storage as an upload needs until it is complete."""

    def __init__(self, open_sink: Callable[[], Any]) -> None:
        self._open_sink = open_sink

    def create(self, _key: str) -> Sink:
        return cast("Sink", self._open_sink())


def incoming(open_sink: Callable[[], Any], max_bytes: int = MIB) -> IncomingFile:
    """Return a target that takes `max_bytes`, which may be a fraction of a MiB here."""
    limit = cast("int", max_bytes / MIB)
    return IncomingFile(cast("Storage", _OneSink(open_sink)), SizeLimits(limit, limit))
