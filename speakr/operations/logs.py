"""The logs of the child processes: rotation, and following them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

_MAX_BYTES = 10 * 1024 * 1024


def keep_small(log: Path) -> None:
    """Move the content of a large log to `<log>.1`.

    The file is emptied in place, since its writer keeps it open (for appending). Lines written in
    between are lost; the alternative needs cooperation of the writer.
    """
    if log.exists() and log.stat().st_size > _MAX_BYTES:
        shutil.copyfile(log, log.with_name(log.name + ".1"))
        with log.open("r+b") as stream:
            stream.truncate(0)


class Follower:
    """Passes on complete lines that are appended to logs."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._read_up_to: dict[Path, int] = {}

    def follow(self, log: Path) -> None:
        """Start with lines appended from now on."""
        self._read_up_to[log] = log.stat().st_size if log.exists() else 0

    def look(self) -> None:
        """Pass on the new lines."""
        for log, offset in self._read_up_to.items():
            if not log.exists():
                continue
            with log.open("rb") as stream:
                begin = offset if offset <= log.stat().st_size else 0
                stream.seek(begin)
                new = stream.read()
            complete = new[: new.rfind(b"\n") + 1]
            self._read_up_to[log] = begin + len(complete)
            for line in complete.decode(errors="replace").splitlines():
                self._tell(f"{log.stem:<10} {line}")
