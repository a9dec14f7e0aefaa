"""Blobs and partial writes that are older than the test."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import timedelta

import pytest

from speakr.domain.clock import now
from speakr.services.system import orphans
from speakr.storage.base import Storage, new_key
from speakr.storage.local import LocalStorage
from speakr.storage.s3 import PART_BYTES, S3Storage

WEEK = 7 * 86_400.0
HOUR = 3600.0


def put(storage: Storage, prefix: str = "audio", *, age_seconds: float = WEEK) -> str:
    """Keep a blob that was written some time ago."""
    key = new_key(prefix)
    sink = storage.create(key)
    sink.write(b"sound")
    sink.commit()
    if isinstance(storage, LocalStorage):
        moment = time.time() - age_seconds
        os.utime(storage._root / key, (moment, moment))
    else:
        in_bucket(storage).keys[storage._prefix + key].last_modified = (
            now() - timedelta(seconds=age_seconds)
        ).replace(tzinfo=None)
    return key


def in_bucket(storage: S3Storage):
    """Return what moto keeps of the bucket; only there can the age of an object be changed."""
    from moto.backends import get_backend

    return get_backend("s3")["123456789012"]["aws"].buckets[storage._bucket]


def begin(storage: Storage, *, age_seconds: float = WEEK) -> None:
    """Begin an upload some time ago (moto dates each to 2010), and die."""
    sink = storage.create(new_key("audio"))
    sink.write(bytes(PART_BYTES + 1))
    if isinstance(storage, LocalStorage):
        sink._file.close()
        moment = time.time() - age_seconds
        os.utime(sink._partial, (moment, moment))


def unfinished(storage: Storage) -> list[str]:
    if isinstance(storage, LocalStorage):
        folder = storage._root / ".partial"
        return [str(path) for path in folder.iterdir()] if folder.exists() else []
    found = storage.client.list_multipart_uploads(Bucket=storage._bucket, Prefix=storage._prefix)
    return [upload["UploadId"] for upload in found.get("Uploads", [])]


def kept(storage: Storage) -> set[str]:
    return {key for key, _ in storage.keys("") if not key.startswith("owner/")}


def on_local(test: Callable[..., None]) -> Callable[..., None]:
    """One storage and one database are enough for what depends on neither."""
    test = pytest.mark.parametrize("storage", ["local"], indirect=True)(test)
    return pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)(test)


def sweep(*, dry_run: bool = False) -> orphans.Sweep:
    whole = orphans.Sweep(dry_run=dry_run)
    while whole.step():
        pass
    return whole
