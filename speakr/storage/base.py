"""The storage interface: blobs under keys.

Keys are random (`new_key`); no text of a user becomes part of one.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from speakr.domain.errors import TransientJobError, Unavailable

CHUNK_BYTES = 256 * 1024

PREFIXES = ("audio", "pcm")
"""First component of every key. Only these are searched for orphans."""


def new_key(prefix: str) -> str:
    """Return a fresh random key, for example `audio/3f/3fb2...`; `prefix` is one of `PREFIXES`."""
    name = secrets.token_hex(16)
    return f"{prefix}/{name[:2]}/{name}"


@dataclass(frozen=True, slots=True)
class BlobInfo:
    """Size in bytes and time of the last change."""

    size_bytes: int
    modified_at: datetime


@dataclass(frozen=True, slots=True)
class Part:
    """A blob that holds the next `size_bytes` of a file which arrives in parts."""

    key: str
    size_bytes: int


class BlobMissing(Exception):
    """There is no blob under this key."""


class StorageFull(Exception):
    """The storage is full."""


class StorageUnavailable(Unavailable, TransientJobError):
    """The storage is unavailable now: a 503 for a request, a passing failure for a job."""

    code = "storage_unavailable"


class Sink(Protocol):
    """One blob being written. Nothing is visible under the key before `commit` returns.

    After `commit` the bytes survive a power cut. A sink that is neither committed nor aborted
    (the process died) leaves nothing under the key; `Storage.sweep_partial` removes its bytes.
    """

    def write(self, data: bytes) -> int:
        """Append bytes; return how many. Raises `StorageFull`."""
        ...

    def commit(self) -> None:
        """Make the blob visible and durable. Raises `StorageFull`."""
        ...

    def abort(self) -> None:
        """Discard everything written; safe to call at any time, also after `commit` (then a no-op)."""
        ...


class Appender(Protocol):
    """A file that arrives over several requests, and in between is known by its parts only.

    Call `sync` at least every 8 MiB, for a storage may hold in memory what is not synced. Two appenders of one
    file must not write at the same time; a sync of the one makes the parts of the other stale.
    """

    def write(self, data: bytes) -> int:
        """Append bytes; return how many. Raises `StorageFull`."""
        ...

    def sync(self) -> Sequence[Part]:
        """Make everything written durable; return the parts of the whole file. Raises `StorageFull`.

        A part may replace one returned before; the caller deletes blobs that are no part any more.
        """
        ...

    def close(self) -> None:
        """Free what is held here. What was not synced is lost."""
        ...


class Storage(Protocol):
    """A storage of blobs. Safe to share between threads and greenlets."""

    def create(self, key: str) -> Sink:
        """Begin to write a blob."""
        ...

    def open(self, key: str) -> BinaryIO:
        """Open a blob for reading; seekable, reads cost memory only for what is asked. Raises `BlobMissing`."""
        ...

    def stat(self, key: str) -> BlobInfo | None:
        """Describe a blob, or None when there is none."""
        ...

    def delete(self, key: str) -> None:
        """Remove a blob; nothing happens when there is none."""
        ...

    def append(self, parts: Sequence[Part]) -> Appender:
        """Go on with a file after these parts, or begin one when there are none.

        Bytes that were written behind the parts are dropped. Raises `BlobMissing`, `StorageFull`.
        """
        ...

    def join(self, parts: Sequence[Part]) -> str:
        """Make one blob of at least one part and return its key: that of the only part, or a new one.

        The parts stay. Raises `BlobMissing`, `StorageFull`.
        """
        ...

    def local_path(self, key: str) -> AbstractContextManager[Path]:
        """Provide the blob as a readable file during a `with` block. Raises `BlobMissing`."""
        ...

    def keys(self, prefix: str) -> Iterator[tuple[str, BlobInfo]]:
        """List the blobs under a prefix, in no order and lazily, for the sweep that removes orphans."""
        ...

    def sweep_partial(
        self, older_than_seconds: float, *, at_most: int | None = None, dry_run: bool = False
    ) -> int:
        """Remove unfinished writes that are old, up to `at_most`; return how many were removed, or would be.

        The age counts from the last write on a disk and from the start of the upload in S3, so
        `older_than_seconds` must exceed the longest upload. A write whose bytes are removed
        fails at its next step; it never yields half a blob.
        """
        ...

    def free_bytes(self) -> int | None:
        """Return the free bytes, or None if the storage has no such limit."""
        ...

    def check(self) -> None:
        """Raise when the storage cannot be written to."""
        ...


def put_file(storage: Storage, key: str, path: Path) -> None:
    """Store a file's bytes under a key: all of them, or nothing. Raises `StorageFull`."""
    sink = storage.create(key)
    try:
        with path.open("rb") as source:
            shutil.copyfileobj(source, sink, CHUNK_BYTES)
        sink.commit()
    except BaseException:
        sink.abort()
        raise


def put_bytes(storage: Storage, key: str, data: bytes) -> None:
    """Store a few bytes under a key: all of them, or nothing. Raises `StorageFull`."""
    sink = storage.create(key)
    try:
        sink.write(data)
        sink.commit()
    except BaseException:
        sink.abort()
        raise
