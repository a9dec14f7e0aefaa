"""A file that grows over several requests, on a local disk.

Its only part is the blob itself, under its final key: making a recording of it copies nothing. The part's size is
what counts. Bytes behind it, of a request that died before its sync was recorded, are cut off by the next one.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from speakr.storage.base import BlobMissing, Part
from speakr.storage.local_files import CHECK_FREE_EVERY_BYTES, open_private, sync_folder, typed_errors
from speakr.storage.outside_loop import outside_the_loop


class _Room(Protocol):
    def require_room(self) -> None: ...


class LocalAppender:
    """The end of one file. Writes go to their own place in it, whatever another request has written there."""

    def __init__(self, room: _Room, part: Part, path: Path, *, is_new: bool) -> None:
        self._room = room
        self._part = part
        self._path = path
        self._position = part.size_bytes
        self._unchecked_bytes = 0
        self._is_unknown = is_new
        """Nothing of it was synced, so no row can refer to it."""
        self._file: int | None = _open(path, part, is_new=is_new)

    def write(self, data: bytes) -> int:
        """Append bytes. Raises `StorageFull`; what was written before stays."""
        rest = memoryview(data)
        position = self._position
        with typed_errors():
            while rest:  # the kernel may take less than it is given
                count = os.pwrite(self._opened(), rest, position)
                position += count
                rest = rest[count:]
            self._unchecked_bytes += len(data)
            if self._unchecked_bytes >= CHECK_FREE_EVERY_BYTES:
                self._unchecked_bytes = 0
                self._room.require_room()
        self._position = position
        return len(data)

    def sync(self) -> Sequence[Part]:
        """Wait until the bytes are on the disk, and with the first ones the file's name."""
        file, is_first = self._opened(), self._is_unknown

        def work() -> None:
            os.fsync(file)
            if is_first:
                sync_folder(self._path.parent)

        with typed_errors():
            outside_the_loop(work)
        self._is_unknown = False
        self._part = Part(self._part.key, self._position)
        return [self._part]

    def close(self) -> None:
        """Close the file; one that was never synced is removed."""
        file, self._file = self._file, None
        if file is None:
            return
        os.close(file)
        if self._is_unknown:
            with suppress(OSError):
                self._path.unlink()

    def _opened(self) -> int:
        if self._file is None:
            raise ValueError("this file is closed")
        return self._file


def _open(path: Path, part: Part, *, is_new: bool) -> int:
    """Open the file and cut off what is behind its part."""
    if is_new:
        return open_private(str(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC)
    try:
        file = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise BlobMissing(part.key) from None
    size_bytes = os.fstat(file).st_size
    if size_bytes < part.size_bytes:
        os.close(file)
        raise BlobMissing(part.key)
    if size_bytes > part.size_bytes:
        try:
            os.ftruncate(file, part.size_bytes)
        except OSError:
            os.close(file)
            raise
    return file
