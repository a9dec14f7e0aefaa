"""Files on a real disk: full disks, killed processes, sync order, the gevent loop."""

import errno
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

import speakr
from speakr.domain.errors import TransientJobError, Unavailable
from speakr.storage.base import BlobMissing, StorageFull, StorageUnavailable, new_key
from speakr.storage.local import CHECK_FREE_EVERY_BYTES, LocalStorage

MIB = 1024 * 1024
PROJECT = Path(speakr.__file__).parents[1]


def files_below(folder):
    return [path for path in Path(folder).rglob("*") if path.is_file()]


def put(storage, key, data):
    sink = storage.create(key)
    sink.write(data)
    sink.commit()


# -- full disks


@contextmanager
def small_disk(folder, size_bytes):
    """Make writing below a folder fail at about this size: a tmpfs where we may mount one, else a file limit."""
    folder.mkdir()
    mount, umount = shutil.which("mount"), shutil.which("umount")
    options = ["-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(folder)]
    if (
        mount
        and umount
        and subprocess.run([mount, *options], capture_output=True, check=False).returncode == 0
    ):
        try:
            yield folder
        finally:
            subprocess.run([umount, "-l", str(folder)], check=True)
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield folder
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_fills_up_is_reported_and_the_partial_file_removed(tmp_path):
    with small_disk(tmp_path / "disk", 2 * MIB) as disk:
        storage = LocalStorage(disk, 0)
        key = new_key("audio")
        sink = storage.create(key)
        with pytest.raises(StorageFull):
            for _ in range(64):
                sink.write(bytes(256 * 1024))
        assert files_below(disk) == []
        sink.abort()
        with pytest.raises(ValueError, match="finished"):
            sink.commit()
        assert storage.stat(key) is None
        put(storage, key, b"there is room again")
        with storage.open(key) as blob:
            assert blob.read() == b"there is room again"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
@pytest.mark.parametrize("step", ["fsync", "mkdir"])
def test_a_disk_that_is_full_at_commit_leaves_nothing(tmp_path, monkeypatch, code, step):
    storage = LocalStorage(tmp_path, 0)
    sink = storage.create(new_key("audio"))
    sink.write(b"data")

    def fail(*args, **options):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(StorageFull):
        sink.commit()
    assert files_below(tmp_path) == []
    sink.abort()


def test_another_disk_error_is_distinguished_and_names_no_path(tmp_path, monkeypatch):
    storage = LocalStorage(tmp_path, 0)
    sink = storage.create(new_key("audio"))

    def fail(*args):
        raise OSError(errno.EIO, "Input/output error", str(tmp_path))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StorageUnavailable) as failure:
        sink.commit()
    assert isinstance(failure.value, Unavailable)
    assert isinstance(failure.value, TransientJobError)
    assert str(tmp_path) not in failure.value.message
    assert files_below(tmp_path) == []


def shrinking_disk(monkeypatch, *free_bytes):
    """Let statvfs report these amounts of free space, one after the other; the last one stays."""
    answers = list(free_bytes)

    def statvfs(path):
        return SimpleNamespace(f_bavail=answers.pop(0) if len(answers) > 1 else answers[0], f_frsize=1)

    monkeypatch.setattr(os, "statvfs", statvfs)


def test_the_reserve_is_kept_when_an_upload_begins(tmp_path, monkeypatch):
    storage = LocalStorage(tmp_path, 100 * MIB)
    shrinking_disk(monkeypatch, 100 * MIB - 1)
    with pytest.raises(StorageFull):
        storage.create(new_key("audio"))
    with pytest.raises(StorageFull):
        storage.check()
    assert storage.free_bytes() == 100 * MIB - 1
    assert files_below(tmp_path) == []


def test_the_reserve_is_kept_while_an_upload_runs(tmp_path, monkeypatch):
    storage = LocalStorage(tmp_path, 100 * MIB)
    shrinking_disk(monkeypatch, 200 * MIB, 150 * MIB, 99 * MIB)
    sink = storage.create(new_key("audio"))
    sink.write(bytes(CHECK_FREE_EVERY_BYTES))
    sink.write(bytes(CHECK_FREE_EVERY_BYTES - 1))
    with pytest.raises(StorageFull):
        sink.write(b"x")
    assert files_below(tmp_path) == []


# -- power cuts and kills


def test_the_file_is_synced_before_it_is_named_and_its_folders_after(tmp_path, monkeypatch):
    steps = []
    sync, replace = os.fsync, Path.replace

    def recording_sync(descriptor):
        target = Path(f"/proc/self/fd/{descriptor}").readlink()
        steps.append(("sync the folder" if target.is_dir() else "sync the file", target))
        sync(descriptor)

    def recording_replace(self, target):
        steps.append(("name", target))
        return replace(self, target)

    storage, key = LocalStorage(tmp_path, 0), new_key("audio")
    sink = storage.create(key)
    sink.write(b"data")
    partial = files_below(tmp_path)[0]
    monkeypatch.setattr(os, "fsync", recording_sync)
    monkeypatch.setattr(Path, "replace", recording_replace)
    sink.commit()
    path = tmp_path / key
    assert steps == [
        ("sync the file", partial),
        ("sync the folder", tmp_path),  # it has a new entry, audio/
        ("sync the folder", tmp_path / "audio"),
        ("name", path),
        ("sync the folder", path.parent),
    ]


WRITER = """
import sys
from pathlib import Path
from speakr.storage.local import LocalStorage
sink = LocalStorage(Path(sys.argv[1]), 0).create(sys.argv[2])
sink.write(bytes(3_000_000))
print("written", flush=True)
sys.stdin.read()
"""


def test_a_process_killed_while_writing_leaves_nothing_visible(tmp_path):
    storage, key = LocalStorage(tmp_path, 0), new_key("audio")
    put(storage, other := new_key("audio"), b"untouched")
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path), key],
        cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as writer:  # fmt: skip
        assert writer.stdout.readline() == b"written\n"
        writer.send_signal(signal.SIGKILL)
        assert writer.wait() == -signal.SIGKILL
    assert storage.stat(key) is None
    with pytest.raises(BlobMissing):
        storage.open(key)
    assert [found for found, _ in storage.keys("")] == [other]
    assert storage.sweep_partial(3600) == 0
    assert len(files_below(tmp_path)) == 2
    assert storage.sweep_partial(0) == 1
    assert files_below(tmp_path) == [tmp_path / other]
    put(storage, key, b"second try")
    assert storage.stat(key).size_bytes == 10


def test_the_sweep_spares_uploads_that_are_still_coming_in(tmp_path):
    storage, key = LocalStorage(tmp_path, 0), new_key("audio")
    sink = storage.create(key)
    sink.write(b"slow ")
    partial = files_below(tmp_path)[0]
    os.utime(partial, (time.time() - 7200, time.time() - 7200))
    sink.write(b"upload")
    assert storage.sweep_partial(3600) == 0
    sink.commit()
    assert storage.stat(key).size_bytes == 11


def test_an_upload_whose_file_was_swept_away_fails_cleanly(tmp_path):
    storage, key = LocalStorage(tmp_path, 0), new_key("audio")
    sink = storage.create(key)
    assert storage.sweep_partial(-1) == 1
    with pytest.raises(StorageUnavailable):
        sink.commit()
    assert storage.stat(key) is None


def test_there_is_nothing_to_sweep_before_the_first_upload(tmp_path):
    assert LocalStorage(tmp_path / "new", 0).sweep_partial(0) == 0


# -- the folder


def test_recordings_are_readable_by_their_owner_only(tmp_path):
    storage, key = LocalStorage(tmp_path / "blobs", 0), new_key("audio")
    put(storage, key, b"private")
    assert stat.S_IMODE((tmp_path / "blobs" / key).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "blobs").stat().st_mode) == 0o700


def test_nothing_is_made_before_it_is_needed(tmp_path):
    storage = LocalStorage(tmp_path / "blobs", 0)
    assert list(storage.keys("")) == []
    assert storage.stat(new_key("audio")) is None
    assert not (tmp_path / "blobs").exists()


def test_foreign_files_are_not_listed(tmp_path):
    storage, key = LocalStorage(tmp_path, 0), new_key("audio")
    put(storage, key, b"ours")
    (tmp_path / "audio" / "README").write_text("theirs")
    (tmp_path / "lost+found").mkdir()
    storage.create(new_key("audio")).abort()
    assert [found for found, _ in storage.keys("")] == [key]


def test_a_storage_that_cannot_be_written_to_fails_its_check(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageUnavailable) as failure:
        LocalStorage(tmp_path / "file", 0).check()
    assert str(tmp_path) not in failure.value.message


# -- gevent

LOOP = """
import gevent.monkey
sleep = gevent.monkey.get_original("time", "sleep")
if sys.argv[2] == "patched":
    gevent.monkey.patch_all()
import os, gevent
from speakr.storage.base import StorageFull, new_key
from speakr.storage.local import LocalStorage

def slow_sync(descriptor):
    sleep(0.15)  # blocks the thread it runs in, as a busy disk does

def full_sync(descriptor):
    raise OSError(28, "No space left on device")

ticks = 0
def tick():
    global ticks
    while True:
        gevent.sleep(0.01)
        ticks += 1

storage = LocalStorage(Path(sys.argv[1]), 0)
os.fsync = slow_sync
ticker = gevent.spawn(tick)
gevent.sleep(0)
sink = storage.create(new_key("audio"))
sink.write(b"data")
sink.commit()
print(ticks)
os.fsync = full_sync
sink = storage.create(new_key("audio"))
try:
    sink.commit()
except StorageFull:
    print("full")
print(len(list(storage.keys(""))), len(os.listdir(Path(sys.argv[1]) / ".partial")))
"""


@pytest.mark.parametrize("mode", ["patched", "plain"])
def test_syncing_does_not_stop_a_gevent_loop(tmp_path, mode):
    script = "import sys; from pathlib import Path\n" + LOOP
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path), mode],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    ticks, full, left = done.stdout.splitlines()
    assert (full, left) == ("full", "1 0")
    if mode == "patched":
        assert int(ticks) >= 10
    else:
        assert int(ticks) <= 2  # without patching the loop stands still: this is what the pool is for
