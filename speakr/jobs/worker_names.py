"""Names of workers: the machine's part, the process and the time. Claims carry them, and locks are named after them."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import time

_MAX_HOST_LENGTH = 40
_HASH_LENGTH = 8
_END_OF_HOST = ":"
_UNUSUAL = re.compile(r"[^A-Za-z0-9._-]")


def new() -> str:
    """Return a name for a worker in this process."""
    return make(socket.gethostname(), os.getpid(), time.time_ns() % 10**9)


def make(host: str, pid: int, nanoseconds: int) -> str:
    """Return the name of a worker. `host` is the machine's name, of any length and with any characters."""
    return f"{_part_of(host)}-{pid}-{nanoseconds}"


def host_of(name: str) -> str:
    """Return the machine's part of a worker's name; no machine's part begins with another's."""
    return name.rsplit("-", 2)[0]


def _part_of(host: str) -> str:
    """End the part in a character that it has nowhere else, so that machine `a-2` is not taken for `a`.

    Other unusual characters are replaced, because the name becomes that of a file. A changed name gets a hash, so that it
    stays different from others.
    """
    plain = _UNUSUAL.sub("_", host)
    if plain != host or len(plain) > _MAX_HOST_LENGTH:
        digest = hashlib.sha256(host.encode("utf-8", "surrogateescape")).hexdigest()[:_HASH_LENGTH]
        plain = f"{plain[: _MAX_HOST_LENGTH - _HASH_LENGTH - 1]}~{digest}"
    return f"{plain}{_END_OF_HOST}"
