"""Files that arrive over several requests: the contract of every storage, checked for each backend."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from speakr.storage.base import BlobMissing, Part, Storage, StorageFull, new_key
from speakr.storage.local import LocalStorage

MIB = 1024 * 1024
NOISE = random.Random(5).randbytes(24 * MIB)  # noqa: S311 - the same noise on every run


def read(storage: Storage, key: str) -> bytes:
    with storage.open(key) as blob:
        return blob.read()


def append(storage: Storage, parts: list[Part], data: bytes) -> list[Part]:
    appender = storage.append(parts)
    appender.write(data)
    found = list(appender.sync())
    appender.close()
    return found


@pytest.mark.parametrize(
    "cuts", [[], [1], [7 * MIB], [1, 2, 3], [3 * MIB, 4 * MIB, 9 * MIB, 20 * MIB], [6 * MIB, 12 * MIB]]
)
def test_a_file_in_pieces_of_any_size_is_joined(storage: Storage, cuts: list[int]) -> None:
    parts: list[Part] = []
    start = 0
    for end in [*cuts, len(NOISE)]:
        parts = append(storage, parts, NOISE[start:end])
        assert sum(part.size_bytes for part in parts) == end
        start = end
    assert read(storage, storage.join(parts)) == NOISE


def test_a_piece_may_be_synced_several_times(storage: Storage) -> None:
    appender = storage.append([])
    parts: list[Part] = []
    for start in range(0, len(NOISE), 3 * MIB):
        appender.write(NOISE[start : start + 3 * MIB])
        parts = list(appender.sync())
        assert list(appender.sync()) == parts
    appender.close()
    assert read(storage, storage.join(parts)) == NOISE


def test_what_was_not_synced_is_lost_and_what_was_is_kept(storage: Storage) -> None:
    appender = storage.append([])
    appender.write(NOISE[:1000])
    parts = list(appender.sync())
    appender.write(b"lost" * 1000)
    appender.close()
    parts = append(storage, parts, NOISE[1000:5000])
    assert read(storage, storage.join(parts)) == NOISE[:5000]


def test_bytes_behind_the_last_part_do_not_come_back(storage: Storage) -> None:
    """A process died after its sync and before that was recorded."""
    parts = append(storage, [], NOISE[:1000])
    append(storage, parts, b"never recorded" * 100)
    parts = append(storage, parts, NOISE[1000:1100])
    assert read(storage, storage.join(parts)) == NOISE[:1100]


def test_joining_alone_drops_bytes_behind_the_last_part(storage: Storage) -> None:
    parts = append(storage, [], NOISE[:1000])
    append(storage, parts, b"never recorded")
    assert read(storage, storage.join(parts)) == NOISE[:1000]


def test_joining_may_be_repeated(storage: Storage) -> None:
    parts = append(storage, append(storage, [], NOISE[: 6 * MIB]), NOISE[6 * MIB : 7 * MIB])
    assert read(storage, storage.join(parts)) == read(storage, storage.join(parts)) == NOISE[: 7 * MIB]


def test_nothing_stays_of_a_file_that_was_never_synced(storage: Storage) -> None:
    appender = storage.append([])
    appender.write(NOISE[:1000])
    appender.close()
    appender.close()
    assert list(storage.keys("audio")) == []


def test_lost_parts_are_missing(storage: Storage) -> None:
    parts = append(storage, append(storage, [], NOISE[: 6 * MIB]), NOISE[6 * MIB : 7 * MIB])
    for part in parts:
        storage.delete(part.key)
    with pytest.raises(BlobMissing):
        storage.append(parts)
    with pytest.raises(BlobMissing):
        read(storage, storage.join(parts))


def test_a_local_file_shorter_than_its_part_is_missing(local_storage: LocalStorage, tmp_path: Path) -> None:
    (part,) = append(local_storage, [], NOISE[:1000])
    os.truncate(tmp_path / "blobs" / part.key, 999)
    with pytest.raises(BlobMissing):
        local_storage.append([part])
    with pytest.raises(BlobMissing):
        local_storage.join([part])


def test_a_full_disk_keeps_what_was_synced(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path / "blobs", 0)
    parts = append(storage, [], NOISE[:1000])
    full = LocalStorage(tmp_path / "blobs", 1 << 60)
    with pytest.raises(StorageFull):
        full.append(parts)
    assert read(storage, storage.join(parts)) == NOISE[:1000]


def test_two_parts_of_a_local_file_never_are(local_storage: LocalStorage) -> None:
    """Only the blob's own key counts, so a recording is made without a copy."""
    parts = append(local_storage, [], NOISE[:10])
    assert local_storage.join(parts) == parts[0].key
    assert [part.key for part in append(local_storage, parts, NOISE[10:20])] == [parts[0].key]
    assert new_key("audio") != parts[0].key
