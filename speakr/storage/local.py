"""Blobs as files in one folder.

A blob is written under a random name in `.partial`, on the same filesystem, and renamed when it is complete
and on the disk: file first, then the folder that names it. So a reader never sees half a blob, and a power
cut after `commit` loses nothing (the order is that of rename(2) and fsync(2) on POSIX).
"""

from __future__ import annotations

import errno
import os
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import BinaryIO

from speakr.offload import run_blocking
from speakr.storage.base import BlobInfo, BlobMissing, Part, StorageFull, StorageUnavailable, new_key
from speakr.storage.keys import checked_key, checked_prefix, is_key

CHECK_FREE_EVERY_BYTES = 4 * 1024 * 1024
_PARTIAL = ".partial"
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class LocalStorage:
    """Blobs below `root`. Writing stops when only `min_free_bytes` are left, because the database is on the same disk."""

    def __init__(self, root: Path, min_free_bytes: int) -> None:
        self._root = root.absolute()
        self._min_free_bytes = min_free_bytes

    def create(self, key: str) -> LocalSink:
        """Begin to write a blob. Raises `StorageFull`."""
        target = self._path(key)
        with _typed_errors():
            folder = self._root / _PARTIAL
            self._make_folder(folder)
            self.require_room()
            return LocalSink(self, folder / secrets.token_hex(16), target)

    def open(self, key: str) -> BinaryIO:
        """Open a blob for reading. Raises `BlobMissing`."""
        path = self._path(key)
        with _typed_errors():
            try:
                return path.open("rb")
            except FileNotFoundError:
                raise BlobMissing(key) from None

    def stat(self, key: str) -> BlobInfo | None:
        """Describe a blob, or None when there is none."""
        path = self._path(key)
        with _typed_errors():
            try:
                found = path.stat()
            except FileNotFoundError:
                return None
        return BlobInfo(found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))

    def delete(self, key: str) -> None:
        """Remove a blob; nothing happens when there is none."""
        path = self._path(key)
        with _typed_errors():
            path.unlink(missing_ok=True)

    def append(self, parts: Sequence[Part]) -> LocalAppender:
        """Go on with a file at the end of its one part, or begin one. Raises `BlobMissing`, `StorageFull`."""
        part = parts[0] if parts else Part(new_key("audio"), 0)
        path = self._path(part.key)
        with _typed_errors():
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
        with _typed_errors():
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
        with _typed_errors(), suppress(FileNotFoundError):
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
        _sync_folder(target.parent)

    def _make_folder(self, folder: Path) -> None:
        """Make a folder below the root, durably, readable by its owner only."""
        if folder.is_dir():
            return
        if folder == self._root:
            folder.parent.mkdir(parents=True, exist_ok=True)
        else:
            self._make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        _sync_folder(folder.parent)

    def _path(self, key: str) -> Path:
        return self._root / checked_key(key)


class LocalSink:
    """A blob being written to a temporary file."""

    def __init__(self, storage: LocalStorage, partial: Path, target: Path) -> None:
        self._storage = storage
        self._partial = partial
        self._target = target
        self._unchecked_bytes = 0
        self._file: FileIO | None = FileIO(partial, "xb", opener=_open_private)

    def write(self, data: bytes) -> int:
        """Append bytes. Raises `StorageFull`; then nothing of the blob is left."""
        file = self._open_file()
        try:
            with _typed_errors():
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
        run_blocking(lambda: self._finish(file))

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
        with _typed_errors():
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


class LocalAppender:
    """The end of a file that grows over several requests; its only part is the blob, under its final key.

    The part's size is what counts. Bytes behind it, of a request that died before its sync was recorded, are cut off
    by the next one. Writes go to their own place in the file, whatever another request has written there.
    """

    def __init__(self, storage: LocalStorage, part: Part, path: Path, *, is_new: bool) -> None:
        self._storage = storage
        self._part = part
        self._path = path
        self._position = part.size_bytes
        self._unchecked_bytes = 0
        self._is_unknown = is_new
        """Nothing of it was synced, so no row can refer to it."""
        self._file: int | None = _open_part(path, part, is_new=is_new)

    def write(self, data: bytes) -> int:
        """Append bytes. Raises `StorageFull`; what was written before stays."""
        rest = memoryview(data)
        position = self._position
        with _typed_errors():
            while rest:  # the kernel may take less than it is given
                count = os.pwrite(self._opened(), rest, position)
                position += count
                rest = rest[count:]
            self._unchecked_bytes += len(data)
            if self._unchecked_bytes >= CHECK_FREE_EVERY_BYTES:
                self._unchecked_bytes = 0
                self._storage.require_room()
        self._position = position
        return len(data)

    def sync(self) -> Sequence[Part]:
        """Wait until the bytes are on the disk, and with the first ones the file's name."""
        file, is_first = self._opened(), self._is_unknown

        def work() -> None:
            os.fsync(file)
            if is_first:
                _sync_folder(self._path.parent)

        with _typed_errors():
            run_blocking(work)
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


def _open_part(path: Path, part: Part, *, is_new: bool) -> int:
    """Open the file and cut off what is behind its part."""
    if is_new:
        return _open_private(str(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC)
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


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _typed_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise StorageFull("The storage is full.") from error
        raise StorageUnavailable("The storage cannot be used now.") from error
