"""How the server of a file answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tests.webhooks.receiver import Answer, Connection, Received, reply

ETAG = '"one"'


def a_file(data: bytes, **headers: str) -> Answer:
    """Answer with a whole file."""
    return reply(200, data, {"Content-Type": "audio/wav", **_named(headers)})


def cut_after(data: bytes, sent: int, **headers: str) -> Answer:
    """Promise a whole file, send its first bytes and hang up."""

    async def answer(connection: Connection) -> None:
        connection.write(_head(200, {"Content-Length": str(len(data)), **_named(headers)}) + data[:sent])
        await asyncio.sleep(0.05)
        connection.close()

    return answer


def the_rest(data: bytes, start: int, **headers: str) -> Answer:
    """Answer with the bytes from `start` on."""
    size = len(data)
    return reply(206, data[start:], {"Content-Range": f"bytes {start}-{size - 1}/{size}", **_named(headers)})


def without_length(data: bytes) -> Answer:
    """Send a file whose end is that of the connection."""

    async def answer(connection: Connection) -> None:
        connection.write(_head(200, {"Connection": "close"}) + data)
        connection.close()

    return answer


def redirect(location: str, status: int = 302) -> Answer:
    return reply(status, b"", {"Location": location})


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} Status\r\n{lines}\r\n".encode("latin-1")


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


Seen = Callable[[], list[Received]]
