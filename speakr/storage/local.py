"""Blobs as files in one folder.

A blob is written under a random name in `.partial`, on the same filesystem, and renamed when it is complete
and on the disk: file first, then the folder that names it. So a reader never sees half a blob, and a power
cut after `commit` loses nothing (the order is that of rename(2) and fsync(2) on POSIX).
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import BinaryIO

from speakr.storage.base import BlobInfo, BlobMissing, Part, StorageFull, new_key
from speakr.storage.keys import checked_key, checked_prefix, is_key
from speakr.storage.local_appender import LocalAppender
from speakr.storage.local_files import CHECK_FREE_EVERY_BYTES, open_private, sync_folder, typed_errors
from speakr.storage.outside_loop import outside_the_loop

_PARTIAL = ".partial"


class LocalStorage:
    """Blobs below `root`. Writing stops when only `min_free_bytes` are left, because the database is on the same disk."""

    def __init__(self, root: Path, min_free_bytes: int) -> None:
        self._root = root.absolute()
        self._min_free_bytes = min_free_bytes

    def create(self, key: str) -> LocalSink:
        """Begin to write a blob. Raises `StorageFull`."""
        target = self._path(key)
        with typed_errors():
            folder = self._root / _PARTIAL
            self._make_folder(folder)
            self.require_room()
            return LocalSink(self, folder / secrets.token_hex(16), target)

    def open(self, key: str) -> BinaryIO:
        """Open a blob for reading. Raises `BlobMissing`."""
        path = self._path(key)
        with typed_errors():
            try:
                return path.open("rb")
            except FileNotFoundError:
                raise BlobMissing(key) from None

    def stat(self, key: str) -> BlobInfo | None:
        """Describe a blob, or None when there is none."""
        path = self._path(key)
        with typed_errors():
            try:
                found = path.stat()
            except FileNotFoundError:
                return None
        return BlobInfo(found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))

    def delete(self, key: str) -> None:
        """Remove a blob; nothing happens when there is none."""
        path = self._path(key)
        with typed_errors():
            path.unlink(missing_ok=True)

    def append(self, parts: Sequence[Part]) -> LocalAppender:
        """Go on with a file at the end of its one part, or begin one. Raises `BlobMissing`, `StorageFull`."""
        part = parts[0] if parts else Part(new_key("audio"), 0)
        path = self._path(part.key)
        with typed_errors():
            self.require_room()
            if not parts:
                self._make_folder(path.parent)
            return LocalAppender(self, part, path, is_new=not parts)

    def join(self, parts: Sequence[Part]) -> str:
        """Return the key of the only part there is. Raises `BlobMissing`."""
        info = self.stat(parts[0].key)
        if info is None or info.size_bytes < parts[0].size_bytes:
            raise BlobMissing(parts[0].key)
        if info.size_bytes > parts[0].size_bytes:  # a request died behind the last byte that counts
            self.append(parts).close()
        return parts[0].key

    @contextmanager
    def local_path(self, key: str) -> Iterator[Path]:
        """Provide the blob's own file; callers must not write to it. Raises `BlobMissing`."""
        if self.stat(key) is None:
            raise BlobMissing(key)
        yield self._path(key)

    def keys(self, prefix: str) -> Iterator[tuple[str, BlobInfo]]:
        """List the blobs under a prefix; files that are not ours are passed over."""
        for folder, _, names in os.walk(self._root / checked_prefix(prefix)):
            for name in names:
                key = (Path(folder) / name).relative_to(self._root).as_posix()
                info = self.stat(key) if is_key(key) else None  # None also when deleted meanwhile
                if info is not None:
                    yield key, info

    def free_bytes(self) -> int:
        """Return the space left on the filesystem."""
        with typed_errors():
            self._make_folder(self._root)
            found = os.statvfs(self._root)
            return found.f_bavail * found.f_frsize

    def check(self) -> None:
        """Write and remove a small file. Raises `StorageFull` or `StorageUnavailable`."""
        sink = self.create(new_key("check"))
        sink.write(b"\0")
        sink.abort()

    def sweep_partial(
        self, older_than_seconds: float, *, at_most: int | None = None, dry_run: bool = False
    ) -> int:
        """Remove the files of unfinished writes; the age counts from the last write."""
        removed = 0
        oldest = time.time() - older_than_seconds
        with typed_errors(), suppress(FileNotFoundError):
            for entry in list(os.scandir(self._root / _PARTIAL)):
                if removed == at_most:
                    break
                with suppress(FileNotFoundError):  # finished or aborted meanwhile
                    if entry.stat(follow_symlinks=False).st_mtime <= oldest:
                        if not dry_run:
                            Path(entry.path).unlink()
                        removed += 1
        return removed

    def require_room(self) -> None:
        """Raise `StorageFull` when less is left than must stay free."""
        if self.free_bytes() < self._min_free_bytes:
            raise StorageFull("The storage is full.")

    def place(self, partial: Path, target: Path) -> None:
        """Give a complete file its name, durably."""
        self._make_folder(target.parent)
        partial.replace(target)
        sync_folder(target.parent)

    def _make_folder(self, folder: Path) -> None:
        """Make a folder below the root, durably, readable by its owner only."""
        if folder.is_dir():
            return
        if folder == self._root:
            folder.parent.mkdir(parents=True, exist_ok=True)
        else:
            self._make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        sync_folder(folder.parent)

    def _path(self, key: str) -> Path:
        return self._root / checked_key(key)


class LocalSink:
    """A blob being written to a temporary file."""

    def __init__(self, storage: LocalStorage, partial: Path, target: Path) -> None:
        self._storage = storage
        self._partial = partial
        self._target = target
        self._unchecked_bytes = 0
        self._file: FileIO | None = FileIO(partial, "xb", opener=open_private)

    def write(self, data: bytes) -> int:
        """Append bytes. Raises `StorageFull`; then nothing of the blob is left."""
        file = self._open_file()
        try:
            with typed_errors():
                rest = memoryview(data)
                while rest:  # unbuffered, so the kernel may take less than it is given
                    rest = rest[file.write(rest) :]
                self._unchecked_bytes += len(data)
                if self._unchecked_bytes >= CHECK_FREE_EVERY_BYTES:
                    self._unchecked_bytes = 0
                    self._storage.require_room()
        except BaseException:
            self.abort()
            raise
        return len(data)

    def commit(self) -> None:
        """Make the blob visible and durable. Raises `StorageFull`; then nothing of the blob is left."""
        file = self._open_file()
        self._file = None  # from here on the blob is complete or cleans up, even if the greenlet is killed
        outside_the_loop(lambda: self._finish(file))

    def abort(self) -> None:
        """Forget everything written; after `commit` or a first `abort` nothing happens."""
        file, self._file = self._file, None
        if file is not None:
            self._discard(file)

    def _open_file(self) -> FileIO:
        if self._file is None:
            raise ValueError("this blob is finished")
        return self._file

    def _finish(self, file: FileIO) -> None:
        with typed_errors():
            try:
                os.fsync(file.fileno())
                file.close()
                self._storage.place(self._partial, self._target)
            except BaseException:
                self._discard(file)
                raise

    def _discard(self, file: FileIO) -> None:
        with suppress(OSError):
            file.close()
        with suppress(OSError):
            self._partial.unlink(missing_ok=True)
