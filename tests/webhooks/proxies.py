"""Two short proxies: HTTP and SOCKS5. They resolve every name to this machine and record their requests."""

from __future__ import annotations

import asyncio
import contextlib
import struct
import threading
from typing import Self


class Proxy:
    """A proxy in a thread. `answer` makes it refuse, hang or break off instead."""

    scheme = ""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.heads: list[str] = []
        self.credentials: list[bytes] = []
        self.answer: str | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self.port = 0

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(5)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        self._server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._talk(reader, writer)
        except (OSError, EOFError, asyncio.CancelledError):
            pass
        finally:
            await _hang_up(writer)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise NotImplementedError

    async def _join(
        self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, first: bytes = b""
    ) -> None:
        """Carry bytes both ways between the client and a port of this machine."""
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        far_writer.write(first)
        there = asyncio.create_task(_carry(reader, far_writer))
        back = asyncio.create_task(_carry(far_reader, writer))
        try:
            await asyncio.wait([there, back], return_when=asyncio.FIRST_COMPLETED)
        finally:
            there.cancel()
            back.cancel()
            await asyncio.gather(there, back, return_exceptions=True)
            await _hang_up(far_writer)


async def _hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError, asyncio.CancelledError):
        await writer.wait_closed()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


class HttpProxy(Proxy):
    """`answer`: a status line, "hang", or "" to hang up."""

    scheme = "http"

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        method, target, *_ = head.split()
        self.asked.append(f"{method} {target}")
        self.heads.append(head)
        if self.answer == "hang":
            await asyncio.sleep(3600)
        elif self.answer is not None:
            writer.write(
                self.answer.encode() and f"HTTP/1.1 {self.answer}\r\nContent-Length: 0\r\n\r\n".encode()
            )
            await writer.drain()
        elif method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
            await self._join(int(target.rpartition(":")[2]), reader, writer)
        else:
            authority, _, path = target.removeprefix("http://").partition("/")
            port = int(authority.rpartition(":")[2])
            await self._join(port, reader, writer, head.replace(target, f"/{path}", 1).encode("latin-1"))


class SocksProxy(Proxy):
    """`answer`: "refuse" credentials, "hang" on CONNECT, "" to hang up on it, or the number to reply."""

    scheme = "socks5"

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, count = await reader.readexactly(2)
        methods = await reader.readexactly(count)
        if 2 in methods:
            writer.write(b"\x05\x02")
            _, length = await reader.readexactly(2)
            user = await reader.readexactly(length)
            (length,) = await reader.readexactly(1)
            self.credentials.append(user + b":" + await reader.readexactly(length))
            writer.write(b"\x01" + (b"\x01" if self.answer == "refuse" else b"\x00"))
        else:
            writer.write(b"\x05" + (b"\xff" if self.answer == "refuse" else b"\x00"))
        _, _, _, kind = await reader.readexactly(4)
        assert kind == 1, "an IPv4 address was to come"
        address = ".".join(map(str, await reader.readexactly(4)))
        (port,) = struct.unpack("!H", await reader.readexactly(2))
        self.asked.append(f"{address}:{port}")
        if self.answer == "hang":
            await asyncio.sleep(3600)
        if self.answer == "":
            return
        reply = int(self.answer or 0)
        writer.write(bytes([5, reply, 0, 1]) + b"\x00" * 6)
        await writer.drain()
        if not reply:
            await self._join(port, reader, writer)
