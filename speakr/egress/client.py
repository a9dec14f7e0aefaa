"""The dispatcher's HTTP client: resolves once, refuses what is not public, checks again at connect.

The three guards back each other. The resolver refuses a name when any of its addresses is closed; the socket
factory sees the concrete address just before connecting, whatever led there: a name, a literal, a
fallback address; and nothing of one request (cookies, credentials, proxies) is left for the next.
"""

from __future__ import annotations

import asyncio
import errno
import functools
import socket
import threading
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

import aiohttp
from aiohappyeyeballs import AddrInfoType
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from speakr.egress.answers import FrugalHandler
from speakr.egress.guard import (
    LOOKUP_TIMEOUT_SECONDS,
    AddressRefused,
    AllowList,
    Lookup,
    name_not_resolved,
    system_lookup,
)
from speakr.egress.proxies import SocksConnector, SocksProxy
from speakr.egress.urls import WebUrl, literal_address

CONNECT_TIMEOUT_SECONDS = 5.0
KEEP_ALIVE_SECONDS = 30.0
CONCURRENT_LOOKUPS = 64
NAMES_ARE_KEPT_SECONDS = 10
"""For so long the addresses of a name are remembered; each connection is judged all the same."""


@dataclass(slots=True)
class _Request:
    """What the socket factory must know of the request it opens a socket for."""

    host: str
    refused: AddressRefused | None = None


_request: ContextVar[_Request | None] = ContextVar("egress_request", default=None)


class GuardedResolver(AbstractResolver):
    """Resolve names for sending: one look-up per name at a time, a bounded wait, every address judged.

    Each look-up runs in its own daemon thread. A name server that never answers therefore delays neither other
    look-ups nor the end of the process.
    """

    def __init__(
        self,
        allow_list: AllowList,
        *,
        lookup: Lookup = system_lookup,
        timeout_seconds: float = LOOKUP_TIMEOUT_SECONDS,
    ) -> None:
        self._allow_list = allow_list
        self._lookup = lookup
        self._timeout_seconds = timeout_seconds
        self._slots = asyncio.Semaphore(CONCURRENT_LOOKUPS)
        self._running: dict[str, asyncio.Task[Sequence[str]]] = {}

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_UNSPEC,  # noqa: ARG002 - the connector filters by it
    ) -> list[ResolveResult]:
        """Return the addresses of a host.

        Raises `AddressRefused` when one of them may not be called, `NameNotResolved` when there is none
        in time.
        """
        task = self._running.get(host)
        if task is None:
            task = asyncio.create_task(self._ask(host, port))
            self._running[host] = task
            task.add_done_callback(lambda done: self._forget(host, done))
        try:
            # Shielded: the next caller may use the look-up, and its thread cannot be stopped anyway.
            answers = await asyncio.wait_for(asyncio.shield(task), self._timeout_seconds)
        except TimeoutError:
            raise name_not_resolved(host) from None
        return [
            ResolveResult(
                hostname=host,
                host=str(address),
                port=port,
                family=socket.AF_INET if address.version == 4 else socket.AF_INET6,  # noqa: PLR2004 - IPv4
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._allow_list.judge(host, answers)
        ]

    async def close(self) -> None:
        """Stop waiting for look-ups that are still running."""
        for task in self._running.values():
            task.cancel()

    def _forget(self, host: str, task: asyncio.Task[Sequence[str]]) -> None:
        del self._running[host]
        if not task.cancelled():
            task.exception()  # retrieved: otherwise asyncio logs it when no caller waits any more

    async def _ask(self, host: str, port: int) -> Sequence[str]:
        async with self._slots:
            loop = asyncio.get_running_loop()
            future: asyncio.Future[Sequence[str]] = loop.create_future()

            def settle(answers: Sequence[str] | None, error: Exception | None) -> None:
                if future.done():
                    return
                if error is not None:
                    future.set_exception(error)
                else:
                    future.set_result(answers or ())

            def look_up() -> None:
                answers: Sequence[str] | None = None
                failure: Exception | None = None
                try:
                    answers = self._lookup(host, port)
                except Exception as error:  # noqa: BLE001 - carried over to the loop and raised there
                    failure = error
                if not loop.is_closed():
                    loop.call_soon_threadsafe(settle, answers, failure)

            threading.Thread(target=look_up, name="egress-lookup", daemon=True).start()
            return await future


def make_client_session(
    allow_list: AllowList,
    *,
    total_seconds: float,
    resolver: AbstractResolver | None = None,
    connection_limit: int = 256,
    connections_per_host: int = 32,
    proxy_url: str = "",
    needs_body: bool = False,
) -> aiohttp.ClientSession:
    """Open the one session of the dispatcher, inside a running loop; the caller closes it.

    `total_seconds` bounds each request from the look-up to the last byte read. With `needs_body` an answer fails as a
    whole if what comes together with its head is broken. Requests raise
    `AddressRefused` and `NameNotResolved` besides aiohttp's own errors, and `ProxyFault` with a SOCKS5 proxy.
    """
    resolver = resolver or GuardedResolver(allow_list)

    def open_socket(info: AddrInfoType) -> socket.socket:
        return _open_guarded_socket(allow_list, info)

    limits: dict[str, Any] = {
        "limit": connection_limit,
        "limit_per_host": connections_per_host,
        "keepalive_timeout": KEEP_ALIVE_SECONDS,
        "ttl_dns_cache": NAMES_ARE_KEPT_SECONDS,
    }
    middlewares: tuple[aiohttp.ClientMiddlewareType, ...] = (_remember_request,)
    http_proxy = None
    if proxy_url.startswith("socks5:"):
        proxy = SocksProxy.parse(proxy_url)
        connector: aiohttp.TCPConnector = SocksConnector(proxy, allow_list, resolver=resolver, **limits)
    elif proxy_url:
        # The proxy is the operator's word, so only what lies behind it is judged.
        http_proxy = proxy_url
        connector = aiohttp.TCPConnector(resolver=aiohttp.ThreadedResolver(), **limits)
        middlewares = (_judge_with(resolver, allow_list),)
    else:
        connector = aiohttp.TCPConnector(resolver=resolver, socket_factory=open_socket, **limits)
    handler: Any = functools.partial(FrugalHandler, loop=asyncio.get_running_loop(), needs_body=needs_body)
    connector._factory = handler  # noqa: SLF001 - there is no other way in
    return aiohttp.ClientSession(
        connector=connector,
        proxy=http_proxy,
        timeout=aiohttp.ClientTimeout(
            total=total_seconds,
            sock_connect=CONNECT_TIMEOUT_SECONDS,
            ceil_threshold=float("inf"),  # or longer timeouts are rounded up to a whole second
        ),
        middlewares=middlewares,
        headers={"Accept-Encoding": "identity"},
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
    )


def post(
    session: aiohttp.ClientSession, url: WebUrl, *, body: bytes, headers: Mapping[str, str]
) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
    """POST a body to a parsed address, exactly as spelled; a redirect is returned, never followed."""
    return session.post(
        URL(url.text, encoded=True),  # encoded: or %2F in a query would be sent as a slash
        data=body,
        headers=headers,
        allow_redirects=False,
    )


def _judge_with(resolver: AbstractResolver, allow_list: AllowList) -> aiohttp.ClientMiddlewareType:
    """Return a middleware that judges the host before a proxy is asked for it."""

    async def judge(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        host = (request.url.raw_host or "").lower().removesuffix(".")
        literal = literal_address(host)
        if literal is None:
            await resolver.resolve(host, request.url.port or 0)
        else:
            allow_list.admit(host, literal)
        return await handler(request)

    return judge


async def _remember_request(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Tell the socket factory which host was asked for, and tell the caller what the factory refused."""
    current = _Request(host=(request.url.raw_host or "").lower().removesuffix("."))
    token = _request.set(current)
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError as error:
        if current.refused is not None:
            raise current.refused from error
        raise
    finally:
        _request.reset(token)


def _open_guarded_socket(allow_list: AllowList, info: AddrInfoType) -> socket.socket:
    """Make the socket for one concrete address, or refuse: the last check before connecting.

    Raises `PermissionError`, an OSError, for the code that races addresses against each other drops any
    other kind; `_remember_request` turns it into `AddressRefused`.
    """
    family, kind, protocol, _, address = info
    request = _request.get() or _Request(host="")
    try:
        allow_list.admit(request.host, ip_address(str(address[0])))
    except AddressRefused as refused:
        request.refused = refused
        raise PermissionError(errno.EACCES, refused.message) from None
    return socket.socket(family=family, type=kind, proto=protocol)
