"""Folders for what a job needs on the disk while it runs: they go when it ends, however it ends.

A folder is locked (flock(2)) by its user for as long as it lives. A lock ends with the process that holds it,
so a folder that can be locked by somebody else is one that a killed process has left behind.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from speakr.backends import get_backends

_PREFIX = "speakr-job-"


def parent() -> Path:
    """Return the folder in which workers keep what nobody needs after them."""
    return Path(get_backends().settings.scratch_dir or tempfile.gettempdir())


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """Lend an empty folder."""
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
            os.close(lock)  # a sweeper was faster than our lock


def sweep() -> None:
    """Remove the folders of the dead."""
    for path in parent().glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # gone, or in use
            lock = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(lock)
