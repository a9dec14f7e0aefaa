"""A file that grows over several requests, in S3."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from speakr.storage.base import Part, new_key

MIN_PART_BYTES = 5 * 1024 * 1024
"""S3 joins nothing smaller, except at the end (its «multipart upload limits»)."""


class S3Appender:
    """A file that grows by one object per sync.

    S3 joins only parts of at least 5 MiB, the last one excepted. So a smaller object stays the last one: the next
    sync writes its bytes again, in front of those that follow, and so replaces it.
    """

    def __init__(self, put: Callable[[str, bytes], None], parts: Sequence[Part], tail: bytes) -> None:
        self._put = put
        self._parts = list(parts[:-1] if tail else parts)
        self._tail = list(parts[-1:] if tail else ())
        self._buffer = bytearray(tail)
        self._is_synced = True

    def write(self, data: bytes) -> int:
        """Append bytes; nothing is sent before `sync`."""
        self._buffer += data
        self._is_synced = self._is_synced and not data
        return len(data)

    def sync(self) -> Sequence[Part]:
        """Store what is new as an object. Raises `StorageFull`, `StorageUnavailable`; then it may be tried again."""
        if not self._is_synced:
            part = Part(new_key("audio"), len(self._buffer))
            self._put(part.key, bytes(self._buffer))
            self._is_synced = True
            if part.size_bytes < MIN_PART_BYTES:
                self._tail = [part]
            else:
                self._parts.append(part)
                self._tail = []
                self._buffer.clear()
        return [*self._parts, *self._tail]

    def close(self) -> None:
        """Forget the bytes that were not synced."""
        self._buffer.clear()
