"""The contract of every storage, checked for each backend."""

import hashlib
import io
import random
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from speakr.domain.clock import now
from speakr.storage.base import CHUNK_BYTES, BlobMissing, Storage, new_key

MIB = 1024 * 1024
SIZES = [0, 1, CHUNK_BYTES, 8 * MIB - 1, 8 * MIB, 9 * MIB + 17, 16 * MIB]


def dice(seed):
    return random.Random(seed)  # noqa: S311 - the same noise on every run


def noise(size, seed=1):
    return dice(seed).randbytes(size)


def put(storage: Storage, key, data, block=CHUNK_BYTES):
    sink = storage.create(key)
    for start in range(0, len(data), block):
        assert sink.write(data[start : start + block]) == len(data[start : start + block])
    sink.commit()


def get(storage: Storage, key):
    with storage.open(key) as blob:
        return blob.read()


def listed(storage, prefix=""):
    return {key: info.size_bytes for key, info in storage.keys(prefix)}


@pytest.mark.parametrize("size", SIZES)
def test_what_is_written_is_read(storage, size):
    key, data = new_key("audio"), noise(size)
    put(storage, key, data)
    assert hashlib.sha256(get(storage, key)).digest() == hashlib.sha256(data).digest()
    info = storage.stat(key)
    assert info.size_bytes == size
    assert abs(info.modified_at - now()) < timedelta(minutes=1)
    assert listed(storage) == {key: size}


def test_blocks_of_any_size_are_joined(storage):
    key, data = new_key("audio"), noise(17 * MIB, seed=2)
    sink, roll, start = storage.create(key), dice(3), 0
    while start < len(data):
        size = roll.choice([0, 1, 100_003, 3 * MIB, 10 * MIB])
        start += sink.write(data[start : start + size])
    sink.commit()
    assert get(storage, key) == data


@pytest.mark.parametrize("size", [1000, 9 * MIB])
def test_nothing_is_visible_before_commit(storage, size):
    key = new_key("audio")
    sink = storage.create(key)
    sink.write(noise(size))
    assert storage.stat(key) is None
    assert listed(storage) == {}
    with pytest.raises(BlobMissing):
        storage.open(key)
    sink.commit()
    assert listed(storage) == {key: size}


@pytest.mark.parametrize("size", [0, 1000, 9 * MIB])
def test_abort_leaves_nothing(storage, size):
    key = new_key("audio")
    sink = storage.create(key)
    sink.write(noise(size))
    sink.abort()
    sink.abort()
    assert storage.stat(key) is None
    assert listed(storage) == {}
    assert storage.sweep_partial(0) == 0
    for use in (lambda: sink.write(b"x"), sink.commit):
        with pytest.raises(ValueError, match="finished"):
            use()
    assert storage.stat(key) is None


def test_abort_after_commit_does_nothing(storage):
    key = new_key("audio")
    sink = storage.create(key)
    sink.write(b"kept")
    sink.commit()
    sink.abort()
    assert get(storage, key) == b"kept"
    with pytest.raises(ValueError, match="finished"):
        sink.commit()


def test_reading_and_seeking(storage):
    key, data = new_key("audio"), noise(MIB + 5)
    put(storage, key, data)
    with storage.open(key) as blob:
        assert blob.seekable()
        assert blob.read(10) == data[:10]
        assert blob.tell() == 10
        assert blob.seek(700_000) == 700_000
        assert blob.read(100) == data[700_000:700_100]
        assert blob.seek(-7, io.SEEK_END) == len(data) - 7
        assert blob.read(100) == data[-7:]
        assert blob.read(1) == b""
        assert blob.seek(5) == 5
        assert blob.seek(3, io.SEEK_CUR) == 8
        assert blob.read(2) == data[8:10]
        blob.seek(len(data) + 10)
        assert blob.read() == b""
        blob.seek(0)
        assert blob.read() == data


def test_random_ranges(storage):
    key, data, roll = new_key("audio"), noise(2 * MIB), dice(4)
    put(storage, key, data)
    with storage.open(key) as blob:
        for _ in range(40):
            start, size = roll.randrange(len(data)), roll.randrange(300_000)
            blob.seek(start)
            assert blob.read(size) == data[start : start + size]


def test_two_readers_do_not_disturb_each_other(storage):
    key, data = new_key("audio"), noise(600_000)
    put(storage, key, data)
    with storage.open(key) as first, storage.open(key) as second:
        assert first.read(1000) == second.read(1000) == data[:1000]
        second.seek(500_000)
        assert first.read(1000) == data[1000:2000]
        assert second.read() == data[500_000:]


def test_delete_is_idempotent(storage):
    key, other = new_key("audio"), new_key("audio")
    put(storage, key, b"gone")
    put(storage, other, b"stays")
    storage.delete(key)
    storage.delete(key)
    storage.delete(new_key("audio"))
    assert storage.stat(key) is None
    assert get(storage, other) == b"stays"


def test_what_is_missing_is_missing(storage):
    key = new_key("audio")
    assert storage.stat(key) is None
    with pytest.raises(BlobMissing):
        storage.open(key)
    with pytest.raises(BlobMissing), storage.local_path(key):
        pass


def test_a_blob_is_lent_as_a_file(storage):
    key, data = new_key("audio"), noise(300_000)
    put(storage, key, data)
    with storage.local_path(key) as path:
        assert isinstance(path, Path)
        assert path.read_bytes() == data
    assert get(storage, key) == data


def test_listing_by_prefix(storage):
    keys = {word: new_key(word) for word in ("audio", "audio2", "pcm")}
    for word, key in keys.items():
        put(storage, key, word.encode())
    assert set(listed(storage)) == set(keys.values())
    assert listed(storage, "audio") == listed(storage, "audio/") == {keys["audio"]: 5}
    assert listed(storage, keys["pcm"][:6]) == {keys["pcm"]: 3}
    assert listed(storage, "exports") == {}


def test_sinks_side_by_side_never_mix(storage):
    blobs = {new_key("audio"): noise(2 * MIB + n, seed=n) for n in range(4)}
    together = threading.Barrier(len(blobs))
    failures = []

    def write(key, data):
        try:
            sink = storage.create(key)
            together.wait(20)
            for start in range(0, len(data), 100_000):
                sink.write(data[start : start + 100_000])
            sink.commit()
        except Exception as error:  # noqa: BLE001 - shown by the assertion below
            failures.append(error)

    threads = [threading.Thread(target=write, args=entry) for entry in blobs.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert {key: get(storage, key) for key in blobs} == blobs


@pytest.mark.parametrize(
    "key",
    [
        "", "/", "audio", "../audio", "audio/../../etc/passwd", "/etc/passwd", "audio/3f/../3f", "audio/3f/" + "3f" * 16 + "/x",
        "audio//" + "3f" * 16, "audio/3F/" + "3F" * 16, "audio/3e/" + "3f" * 16, "a\0b/3f/" + "3f" * 16,
        ".partial/3f/" + "3f" * 16, "audio/3f/" + "3f" * 16 + "\n", "audio\\3f\\" + "3f" * 16, "\xe4/3f/" + "3f" * 16,
    ],
)  # fmt: skip
def test_only_our_own_keys_are_keys(storage, key):
    for use in (storage.create, storage.open, storage.stat, storage.delete):
        with pytest.raises(ValueError, match="storage key"):
            use(key)
    with pytest.raises(ValueError, match="storage key"), storage.local_path(key):
        pass


@pytest.mark.parametrize("prefix", ["..", "../", "/", "/etc", "audio/..", ".partial", "audio/3", "*"])
def test_only_our_own_prefixes_are_listed(storage, prefix):
    with pytest.raises(ValueError, match="prefix"):
        list(storage.keys(prefix))


def test_new_keys_are_keys_of_every_backend(storage):
    for word in ("audio", "pcm", "export", "processed-audio"):
        assert storage.stat(new_key(word)) is None


def test_a_healthy_storage_passes_its_check_and_leaves_no_trace(storage):
    storage.check()
    assert listed(storage) == {}
    assert storage.sweep_partial(0) == 0


def test_free_space_is_a_number_or_unknown(storage):
    free = storage.free_bytes()
    assert free is None or free > 0
