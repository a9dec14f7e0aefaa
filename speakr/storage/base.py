"""Blobs under keys. Four verbs and a way to lend a blob to a tool that wants a path.

Keys are random and ours alone (`new_key`): nothing a user typed ever becomes part of one.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from speakr.domain.errors import TransientJobError, Unavailable

CHUNK_BYTES = 256 * 1024

PREFIXES = ("audio", "pcm")
"""The first word of every key under which a blob is kept. Only these are searched for orphans."""


def new_key(prefix: str) -> str:
    """Return a fresh random key, for example `audio/3f/3fb2...`; `prefix` is one of our own words."""
    name = secrets.token_hex(16)
    return f"{prefix}/{name[:2]}/{name}"


@dataclass(frozen=True, slots=True)
class BlobInfo:
    """Size in bytes and time of the last change."""

    size_bytes: int
    modified_at: datetime


class BlobMissing(Exception):
    """There is no blob under this key."""


class StorageFull(Exception):
    """The storage has no room left."""


class StorageUnavailable(Unavailable, TransientJobError):
    """The storage cannot be used now: a 503 at the door, a reason to try again inside a job."""

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
        """Forget everything written; safe to call at any time, also after `commit` (then a no-op)."""
        ...


class Storage(Protocol):
    """Where blobs live. Safe to share between threads and greenlets."""

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

    def local_path(self, key: str) -> AbstractContextManager[Path]:
        """Lend the blob as a readable file for the length of a `with` block. Raises `BlobMissing`."""
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
        """Return the space left, or None when the storage has no such limit."""
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
