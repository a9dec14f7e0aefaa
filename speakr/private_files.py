"""Files of the server are readable by its own user only, whatever umask the process was started with."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

UMASK = 0o077
"""New files are 0600 and new folders 0700."""

_OTHERS = 0o077
_IN_DATA_FOLDER = (
    "blobs", "lock", "logs", "logs/*", "metrics", "metrics/*", "models", "redis", "redis/*", "redis.broken-*", "secret_key",
)  # fmt: skip
"""Names that the server makes in its data folder. What else is there belongs to others and stays as it is."""
_BESIDE_DATABASE = ("", "-wal", "-shm", "-journal")
_SQLITE = "sqlite:///"


def make_private() -> None:
    """Keep files that this process and its children make from other users. Called by every entry point."""
    os.umask(UMASK)


def tighten(data_dir: Path, database_url: str) -> list[Path]:
    """Take the permissions of group and others from files that an earlier version made; return what changed.

    Files of other owners and links stay as they are.
    """
    return [path for path in _files(data_dir, database_url) if _take_from_others(path)]


def _files(data_dir: Path, database_url: str) -> Iterator[Path]:
    for pattern in _IN_DATA_FOLDER:
        yield from data_dir.glob(pattern)
    if database_url.startswith(_SQLITE):
        database = database_url.removeprefix(_SQLITE).partition("?")[0]
        for ending in _BESIDE_DATABASE:
            yield Path(database + ending)
        yield Path(database).with_name("dispatcher.lock")


def _take_from_others(path: Path) -> bool:
    # By name and not through a descriptor: closing a descriptor of the database would release SQLite's locks on it.
    try:
        found = path.lstat()
        mode = stat.S_IMODE(found.st_mode)
        is_ours = found.st_uid == os.geteuid() and not stat.S_ISLNK(found.st_mode)
        if not is_ours or not mode & _OTHERS:
            return False
        path.chmod(mode & ~_OTHERS)
    except OSError:  # absent, or on a file system without modes
        return False
    return True
