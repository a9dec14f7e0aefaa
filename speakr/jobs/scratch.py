"""Temporary folders of jobs; each is removed when its job ends, for whatever reason.

The process that uses a folder locks it (flock(2)). The lock ends with the process, so a folder that another process can
lock was left behind by a killed one.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from speakr.backends import get_backends
from speakr.domain.errors import TransientJobError

_PREFIX = "speakr-job-"


def parent() -> Path:
    """Return the folder for temporary files of workers."""
    return Path(get_backends().settings.scratch_dir or tempfile.gettempdir())


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """Create an empty folder and remove it at the end of the context."""
    path, lock = _locked_folder()
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(lock)


def _locked_folder() -> tuple[Path, int]:
    while True:
        path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent()))
        with contextlib.suppress(FileNotFoundError):
            lock = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if path.exists():
                return path, lock
            os.close(lock)  # another process swept it before it was locked


@contextlib.contextmanager
def reporting_full_disk() -> Iterator[None]:
    """Raise a full disk as a passing failure."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise TransientJobError("The server's disk is full.", code="out_of_space") from None


def sweep() -> None:
    """Remove the folders of dead processes."""
    for path in parent().glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # already removed, or in use
            lock = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(lock)
