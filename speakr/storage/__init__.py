"""Storage of blobs: one backend per scheme of the storage URL."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from speakr.settings import Settings, SettingsError
from speakr.storage.base import Storage
from speakr.storage.local import LocalStorage
from speakr.storage.memory import MemoryStorage

_MIB = 1024 * 1024


def make_storage(settings: Settings) -> Storage:
    """Make the storage that the settings name: nothing for blobs in the data folder, a folder, or s3://bucket/prefix.

    Nothing is contacted or created yet. Raises `SettingsError` for a URL of any other kind.
    """
    scheme, separator, _ = settings.storage_url.partition("://")
    make = STORAGES.get(scheme if separator else "file")
    if make is None:
        known = ", ".join(f"{name}://" for name in STORAGES)
        raise SettingsError(f"SPEAKR_STORAGE_URL must be a folder or begin with one of {known}")
    return make(settings)


def _make_local(settings: Settings) -> Storage:
    folder = settings.storage_url.removeprefix("file://")
    root = Path(folder) if folder else settings.data_dir / "blobs"
    return LocalStorage(root, settings.min_free_disk_mb * _MIB)


def _make_s3(settings: Settings) -> Storage:
    from speakr.storage.s3 import S3Storage  # noqa: PLC0415 - boto3 takes a second to import; pay when used

    parts = urlsplit(settings.storage_url)
    if not parts.netloc:
        raise SettingsError("SPEAKR_STORAGE_URL must name a bucket: s3://bucket/prefix")
    return S3Storage(
        parts.netloc, parts.path, settings.s3_endpoint_url, scratch_dir=settings.scratch_dir or None
    )


def _make_memory(settings: Settings) -> Storage:
    del settings
    return MemoryStorage()


STORAGES: dict[str, Callable[[Settings], Storage]] = {
    "file": _make_local,
    "s3": _make_s3,
    "memory": _make_memory,
}
