"""A TCP proxy that breaks connections in the middle of what clients send."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterable
from typing import Self

BLOCK = 64 * 1024


class CuttingProxy:
    """Forwards to a port. Each large body is cut after the next number of bytes, until there are none left."""

    def __init__(
        self, port: int, cuts: Iterable[int], on_cut: Callable[[int], None] = lambda _: None
    ) -> None:
        self._upstream = ("127.0.0.1", port)
        self._cuts = list(cuts)
        self._on_cut = on_cut
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.cut_count = 0
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._run(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(timeout=20)

    def _run(self, work: Callable[..., None], *arguments: object) -> threading.Thread:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._run(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._upstream) as server:
            back = self._run(self._forward, server, client)
            self._send(client, server)
            back.join(timeout=60)

    def _send(self, client: socket.socket, server: socket.socket) -> None:
        """Forward what the client sends; break off where the next cut says."""
        sent = 0
        with contextlib.suppress(OSError):
            while data := client.recv(BLOCK):
                with self._lock:
                    limit = self._cuts[0] if self._cuts else None
                    is_cut = limit is not None and sent + len(data) > limit
                    if is_cut:
                        self._cuts.pop(0)
                        self.cut_count += 1
                if is_cut and limit is not None:
                    server.sendall(data[: max(limit - sent, 0)])
                    self._break_off(client, server)
                    return
                server.sendall(data)
                sent += len(data)
            server.shutdown(socket.SHUT_WR)

    def _break_off(self, *ends: socket.socket) -> None:
        for end in ends:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._on_cut(self.cut_count)

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(BLOCK):
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)
