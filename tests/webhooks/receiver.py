"""A scripted receiver of webhooks: a real HTTP/1.1 server on sockets of its own, in a thread, as rude as wanted.

    with Receiver() as receiver:
        receiver.script("/hook", reply(500), reply(200))   # in turn; the last one stays
        receiver.url("/hook")                               # http://127.0.0.1:<port>/hook
        receiver.wait_for(2, "/hook")                       # the requests so far, oldest first

It parses by hand, so it can also answer what no server library would let it. Without a script it answers 200.
`python -m tests.webhooks.receiver` serves alone and counts, for measurements.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass(frozen=True, slots=True)
class Received:
    """One request. Header names are in lower case; `at` is `time.time()`, `connection` counts from 1."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float
    connection: int


Answer = Callable[["Connection"], Awaitable[None]]


def reply(
    status: int = 200, body: bytes = b"", headers: Mapping[str, str] | None = None, *, after: float = 0.0
) -> Answer:
    """Answer decently, after so many seconds."""

    async def answer(connection: Connection) -> None:
        await asyncio.sleep(after)
        fields = {"Content-Length": str(len(body)), **(headers or {})}
        head = f"HTTP/1.1 {status} Status\r\n" + "".join(f"{k}: {v}\r\n" for k, v in fields.items())
        connection.write(head.encode("latin-1") + b"\r\n" + body)

    return answer


def raw(data: bytes, *, close: bool = True) -> Answer:
    """Answer with exactly these bytes."""

    async def answer(connection: Connection) -> None:
        connection.write(data)
        if close:
            connection.close()

    return answer


def then_hang_up(answer: Answer) -> Answer:
    """Answer so, and close the connection."""

    async def answer_and_close(connection: Connection) -> None:
        await answer(connection)
        connection.close()

    return answer_and_close


def hang(seconds: float = 3600.0) -> Answer:
    """Take the request and say nothing."""

    async def answer(_connection: Connection) -> None:
        await asyncio.sleep(seconds)

    return answer


def disconnect() -> Answer:
    """Take the request and hang up."""
    return raw(b"")


def drip(first: bytes, piece: bytes = b"x", *, every: float = 0.05) -> Answer:
    """Answer `first`, then a piece every so often, without end."""

    async def answer(connection: Connection) -> None:
        connection.write(first)
        while not connection.is_closed:
            await asyncio.sleep(every)
            connection.write(piece)

    return answer


def flood(first: bytes, pieces: Iterable[bytes]) -> Answer:
    """Answer as fast as the other side takes it."""

    async def answer(connection: Connection) -> None:
        connection.write(first)
        for piece in pieces:
            if connection.is_closed:
                return
            connection.write(piece)
            await asyncio.sleep(0)
            await connection.drained()
        connection.close()

    return answer


class Connection(asyncio.Protocol):
    """One connection; keeps alive until a script closes it."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._buffer = b""
        self._transport: asyncio.Transport | None = None
        self._running: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self.number = 0
        self.is_closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.number = self._receiver._admit(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_closed = True
        self._writable.set()
        self._receiver._connections.discard(self)
        if self._running is not None:
            self._running.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    async def drained(self) -> None:
        await self._writable.wait()

    def write(self, data: bytes) -> None:
        if self._transport is not None and not self.is_closed:
            self._transport.write(data)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while True:
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return
            first, *lines = head.decode("latin-1").split("\r\n")
            headers = {
                name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
            }
            length = int(headers.get("content-length", 0))
            if len(rest) < length:
                return
            self._buffer = rest[length:]
            method, path, _ = first.split(" ")
            self._answer(Received(method, path, headers, rest[:length], time.time(), self.number))

    def _answer(self, request: Received) -> None:
        answer = self._receiver._note(request)
        if answer is None:
            self.write(_OK)
        else:
            self._running = asyncio.get_running_loop().create_task(_run(answer, self))


async def _run(answer: Answer, connection: Connection) -> None:
    with contextlib.suppress(ConnectionError):
        await answer(connection)


class Receiver:
    """The server. It listens on all of 127.0.0.0/8, so that one receiver can play many hosts."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, keeps: bool = True) -> None:
        self.port = 0
        self.received: list[Received] = []
        self.count = 0
        self._keeps = keeps
        self._tls = tls
        self._scripts: dict[str, list[Answer]] = {}
        self._default: list[Answer] = []
        self._connections: set[Connection] = set()
        self._admitted = 0
        self._news = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="receiver", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.listen()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def listen(self, port: int = 0) -> None:
        """Begin to listen; again, on the same port, after `close`."""
        self.port = self._call(self._listen(port or self.port))

    def close(self) -> None:
        """Stop listening and close all connections."""
        self._call(self._close())

    def url(self, path: str = "/", *, host: str = "127.0.0.1") -> str:
        """Return an address; any host of 127.0.0.0/8 leads here."""
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}{path}"

    def script(self, path: str, *answers: Answer) -> None:
        """Answer requests for this path so, in turn; the last answer stays. No answers: 200 again."""
        self._scripts[path] = list(answers)

    def script_all(self, *answers: Answer) -> None:
        """Answer requests for paths without a script so."""
        self._default = list(answers)

    def requests(self, path: str | None = None) -> list[Received]:
        """Return the requests so far."""
        with self._news:
            return [one for one in self.received if path is None or one.path == path]

    def forget(self) -> None:
        """Forget the requests so far."""
        with self._news:
            self.received.clear()

    def wait_for(self, count: int, path: str | None = None, *, timeout: float = 30.0) -> list[Received]:
        """Wait until so many requests have come; fail when they have not."""
        deadline = time.monotonic() + timeout
        with self._news:
            while True:
                found = [one for one in self.received if path is None or one.path == path]
                if len(found) >= count:
                    return found
                left = deadline - time.monotonic()
                assert left > 0, f"{len(found)} of {count} requests came within {timeout} s"
                self._news.wait(left)

    def hang_up(self) -> None:
        """Close every open connection, politely; go on listening."""
        self._call(self._hang_up())

    def by_id(self, path: str | None = None) -> dict[str, list[Received]]:
        """Return the requests by their webhook-id."""
        found: dict[str, list[Received]] = defaultdict(list)
        for one in self.requests(path):
            found[one.headers["webhook-id"]].append(one)
        return dict(found)

    # -- in the receiver's thread

    def _call(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self, port: int) -> int:
        self._server = await self._loop.create_server(
            lambda: Connection(self),
            "0.0.0.0",  # noqa: S104 - see the class
            port,
            backlog=1024,
            ssl=self._tls,
        )
        return int(self._server.sockets[0].getsockname()[1])

    async def _close(self) -> None:
        self._server.close()
        for connection in list(self._connections):
            connection.abort()
        await asyncio.sleep(0)

    async def _hang_up(self) -> None:
        for connection in list(self._connections):
            connection.close()

    def _admit(self, connection: Connection) -> int:
        self._connections.add(connection)
        self._admitted += 1
        return self._admitted

    def _note(self, request: Received) -> Answer | None:
        self.count += 1
        if self._keeps:
            with self._news:
                self.received.append(request)
                self._news.notify_all()
        answers = self._scripts.get(request.path, self._default)
        if not answers:
            return None
        return answers.pop(0) if len(answers) > 1 else answers[0]


def say(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def main() -> None:
    """Serve alone; print the port, then for each line read how many requests have come.

    Arguments: seconds before each answer; a certificate with its key, for TLS and a connection for each request.
    """
    delay = float(sys.argv[1]) if len(sys.argv) > 1 else 0.0
    tls = None
    if len(sys.argv) > 2:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(sys.argv[2])
    with Receiver(keeps=False, tls=tls) as receiver:
        if tls:
            receiver.script_all(then_hang_up(reply(200, b"ok", {"Connection": "close"}, after=delay)))
        elif delay:
            receiver.script_all(reply(200, b"ok", after=delay))
        say(receiver.port)
        for _ in sys.stdin:
            say(receiver.count)


if __name__ == "__main__":
    main()
