"""Blobs in memory, for tests: the same interface, nothing survives."""

from __future__ import annotations

import io
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from speakr.domain.clock import now
from speakr.storage.base import BlobInfo, BlobMissing, Part, new_key
from speakr.storage.keys import checked_key, checked_prefix, is_under


class MemoryStorage:
    """A dictionary that satisfies `Storage`."""

    def __init__(self) -> None:
        self._blobs: dict[str, tuple[bytes, BlobInfo]] = {}
        self._lock = threading.Lock()

    def create(self, key: str) -> MemorySink:
        """Begin to write a blob."""
        return MemorySink(self, checked_key(key))

    def open(self, key: str) -> BinaryIO:
        """Open a blob for reading."""
        return io.BytesIO(self._get(key)[0])

    def stat(self, key: str) -> BlobInfo | None:
        """Describe a blob, or None when there is none."""
        with self._lock:
            found = self._blobs.get(checked_key(key))
        return found[1] if found else None

    def delete(self, key: str) -> None:
        """Remove a blob; nothing happens when there is none."""
        with self._lock:
            self._blobs.pop(checked_key(key), None)

    def append(self, parts: Sequence[Part]) -> MemoryAppender:
        """Go on with a file after its parts, or begin one."""
        if not parts:
            return MemoryAppender(self, new_key("audio"), b"")
        return MemoryAppender(self, parts[0].key, self._get(parts[0].key)[0][: parts[0].size_bytes])

    def join(self, parts: Sequence[Part]) -> str:
        """Return the key of the only part there is."""
        (part,) = parts
        self.put(part.key, self._get(part.key)[0][: part.size_bytes])
        return part.key

    @contextmanager
    def local_path(self, key: str) -> Iterator[Path]:
        """Provide a copy as a file."""
        data = self._get(key)[0]
        with tempfile.TemporaryDirectory(prefix="speakr-") as folder:
            path = Path(folder) / "blob"
            path.write_bytes(data)
            yield path

    def keys(self, prefix: str) -> Iterator[tuple[str, BlobInfo]]:
        """List the blobs under a prefix."""
        prefix = checked_prefix(prefix)
        with self._lock:
            found = [(key, info) for key, (_, info) in self._blobs.items()]
        yield from (entry for entry in found if is_under(entry[0], prefix))

    def free_bytes(self) -> int | None:
        """Return None: the free memory is not known."""
        return None

    def check(self) -> None:
        """Do nothing: memory can always be written to."""

    def sweep_partial(
        self, older_than_seconds: float, *, at_most: int | None = None, dry_run: bool = False
    ) -> int:
        """Remove nothing: an unfinished blob dies with its sink."""
        del older_than_seconds, at_most, dry_run
        return 0

    def put(self, key: str, data: bytes) -> None:
        """Make a blob visible; the sink's business."""
        with self._lock:
            self._blobs[key] = (data, BlobInfo(size_bytes=len(data), modified_at=now()))

    def _get(self, key: str) -> tuple[bytes, BlobInfo]:
        with self._lock:
            found = self._blobs.get(checked_key(key))
        if found is None:
            raise BlobMissing(key)
        return found


class MemorySink:
    """A blob being written into memory."""

    def __init__(self, storage: MemoryStorage, key: str) -> None:
        self._storage = storage
        self._key = key
        self._data: bytearray | None = bytearray()

    def write(self, data: bytes) -> int:
        """Append bytes."""
        if self._data is None:
            raise ValueError("this blob is finished")
        self._data += data
        return len(data)

    def commit(self) -> None:
        """Make the blob visible."""
        if self._data is None:
            raise ValueError("this blob is finished")
        self._storage.put(self._key, bytes(self._data))
        self._data = None

    def abort(self) -> None:
        """Forget everything written."""
        self._data = None


class MemoryAppender:
    """A file that grows in memory, in one part."""

    def __init__(self, storage: MemoryStorage, key: str, data: bytes) -> None:
        self._storage = storage
        self._key = key
        self._data = bytearray(data)

    def write(self, data: bytes) -> int:
        """Append bytes."""
        self._data += data
        return len(data)

    def sync(self) -> Sequence[Part]:
        """Make the bytes visible."""
        self._storage.put(self._key, bytes(self._data))
        return [Part(self._key, len(self._data))]

    def close(self) -> None:
        """Forget the bytes that were not synced."""
        self._data.clear()
