"""Sending through a proxy that the operator has named. Never one that the environment names.

HTTP proxies are aiohttp's own business: `CONNECT` for https, the whole address in the request line for http; they get
the name and look it up themselves. SOCKS5 (RFC 1928, RFC 1929) is spoken here, for two reasons: the proxy is given
the very address that was judged, so that no second look-up can lead elsewhere, and we know whether it was the proxy
that failed or the receiver behind it. Either way the guard judges before anything is sent.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Self
from urllib.parse import unquote, urlsplit

import aiohttp
from aiohappyeyeballs import AddrInfoType, start_connection
from aiohttp.client_proto import ResponseHandler

from speakr.egress.guard import AllowList
from speakr.settings import SettingsError

_SOCKS_PORT = 1080
_VERSION, _PASSWORD_VERSION = 5, 1
_NOTHING, _PASSWORD = 0, 2
_CONNECT = 1
_IPV4, _NAME, _IPV6 = 1, 3, 4
_MAX_WORD_LENGTH = 255
_OUT_OF_REACH = {
    2: errno.EACCES,
    3: errno.ENETUNREACH,
    4: errno.EHOSTUNREACH,
    5: errno.ECONNREFUSED,
    6: errno.ETIMEDOUT,
}
"""Replies that are about the receiver. All others are about the proxy."""


class ProxyFault(Exception):
    """The proxy failed, or will not have us: nothing is known about the receiver. Completes "the proxy ..."."""


class ReceiverOutOfReach(OSError):
    """The proxy is well, and could not connect to the receiver."""


@dataclass(frozen=True, slots=True)
class SocksProxy:
    """A SOCKS5 proxy."""

    host: str
    port: int
    user: bytes
    password: bytes

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read `socks5://[user:password@]host[:port]`."""
        parts = urlsplit(url)
        user, password = unquote(parts.username or "").encode(), unquote(parts.password or "").encode()
        if max(len(user), len(password)) > _MAX_WORD_LENGTH:
            raise SettingsError("a SOCKS5 user or password has at most 255 bytes")
        return cls(parts.hostname or "", parts.port or _SOCKS_PORT, user, password)

    async def connect(self, address: str, port: int, seconds: float | None) -> socket.socket:
        """Return a socket that leads to an address.

        Raises:
            ProxyFault: the proxy failed.
            ReceiverOutOfReach: the proxy could not connect.

        """
        try:
            async with asyncio.timeout(seconds):
                connection = await self._open()
        except OSError as error:  # a timeout is one
            raise ProxyFault("could not be reached") from error
        try:
            async with asyncio.timeout(seconds):
                await self._introduce(connection)
            await _ask_for(connection, address, port, seconds)
        except ReceiverOutOfReach:
            connection.close()
            raise
        except (OSError, EOFError) as error:
            connection.close()
            raise ProxyFault("broke off") from error
        except BaseException:
            connection.close()
            raise
        return connection

    async def _open(self) -> socket.socket:
        loop = asyncio.get_running_loop()
        infos: list[Any] = await loop.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        return await start_connection(infos)

    async def _introduce(self, connection: socket.socket) -> None:
        """Agree on how we show who we are, and do."""
        loop = asyncio.get_running_loop()
        methods = bytes([_NOTHING, _PASSWORD] if self.user else [_NOTHING])
        await loop.sock_sendall(connection, bytes([_VERSION, len(methods)]) + methods)
        version, method = await _receive(connection, 2)
        if version != _VERSION:
            raise ProxyFault("does not speak SOCKS5")
        if method not in methods:
            raise ProxyFault("asks for credentials")
        if method == _PASSWORD:
            words = (self.user, self.password)
            packed = b"".join(bytes([len(word)]) + word for word in words)
            await loop.sock_sendall(connection, bytes([_PASSWORD_VERSION]) + packed)
            if (await _receive(connection, 2))[1]:
                raise ProxyFault("refuses our credentials")


async def _ask_for(connection: socket.socket, address: str, port: int, seconds: float | None) -> None:
    target = ip_address(address)
    kind = _IPV4 if target.version == 4 else _IPV6  # noqa: PLR2004 - IPv4
    request = bytes([_VERSION, _CONNECT, 0, kind]) + target.packed + port.to_bytes(2, "big")
    await asyncio.get_running_loop().sock_sendall(connection, request)
    try:
        async with asyncio.timeout(seconds):
            _, reply, _, kind = await _receive(connection, 4)
    except TimeoutError:
        # It took our word and is still knocking.
        raise ReceiverOutOfReach(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT)) from None
    if reply in _OUT_OF_REACH:
        raise ReceiverOutOfReach(_OUT_OF_REACH[reply], os.strerror(_OUT_OF_REACH[reply]))
    if reply:
        raise ProxyFault(f"answered {reply}")
    length = (await _receive(connection, 1))[0] if kind == _NAME else {_IPV4: 4, _IPV6: 16}.get(kind)
    if length is None:
        raise ProxyFault("does not speak SOCKS5")
    await _receive(connection, length + 2)  # where it sends from, which is nothing to us


async def _receive(connection: socket.socket, count: int) -> bytes:
    """Receive exactly so many bytes: what follows them is the receiver's."""
    received = b""
    while len(received) < count:
        piece = await asyncio.get_running_loop().sock_recv(connection, count - len(received))
        if not piece:
            raise EOFError
        received += piece
    return received


class SocksConnector(aiohttp.TCPConnector):
    """aiohttp's connector, except that connections are made by a SOCKS5 proxy."""

    def __init__(self, proxy: SocksProxy, allow_list: AllowList, **options: Any) -> None:
        super().__init__(**options)
        self._proxy = proxy
        self._allow_list = allow_list

    async def _wrap_create_connection(
        self,
        *args: Any,
        addr_infos: list[AddrInfoType],
        req: aiohttp.ClientRequest,
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's name
        client_error: type[Exception] = aiohttp.ClientConnectorError,
        **kwargs: Any,
    ) -> tuple[asyncio.Transport, ResponseHandler]:
        address, port = str(addr_infos[0][4][0]), int(addr_infos[0][4][1])
        host = (req.url.raw_host or "").lower().removesuffix(".")
        self._allow_list.admit(host, ip_address(address))  # whatever led here
        try:
            connection = await self._proxy.connect(address, port, timeout.sock_connect)
        except ReceiverOutOfReach as error:
            raise aiohttp.ClientConnectorError(req.connection_key, error) from error
        return await self._wrap_existing_connection(
            *args, req=req, timeout=timeout, client_error=client_error, sock=connection, **kwargs
        )
