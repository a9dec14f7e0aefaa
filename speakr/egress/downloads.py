"""Fetching a file from an address that a user typed, through the guard, one block at a time.

    with Download(policy) as download:
        resource = download.open(request, offset=0, validator=None)
        while (block := download.read()) != b"":
            ...                                   # None: nothing came within a second

The caller is synchronous: it runs in a work horse, which has one job and no event loop of its own. Between two reads
the loop stands still, so a slow storage slows the sender down (TCP flow control) and no body is held in memory.
"""

from __future__ import annotations

import asyncio
import re
import time
import warnings
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import aiohttp
from aiohttp.multipart import content_disposition_filename, parse_content_disposition
from yarl import URL

from speakr.egress import download_failures as failures
from speakr.egress.client import make_client_session
from speakr.egress.guard import AllowList
from speakr.egress.urls import WebUrl, parse_url

MAX_REDIRECTS = 5
MAX_VALIDATOR_LENGTH = 255
TICK_SECONDS = 1.0
"""How long one `read` waits for bytes, so that its caller can renew leases."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_OK, _PARTIAL, _UNSATISFIABLE = 200, 206, 416
_WEB_PAGES = frozenset({"text/html", "application/xhtml+xml"})
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,15})-([0-9]{1,15})/([0-9]{1,15}|\*)")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Policy:
    """What a download may reach, and how long it may take in seconds."""

    allow_list: AllowList
    proxy_url: str
    total_seconds: float
    idle_seconds: float


@dataclass(frozen=True, slots=True)
class FileRequest:
    """The address as the user typed it, and headers that are sent to its origin only."""

    url: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Resource:
    """What a server offers. `offset` is where its body begins, `size_bytes` that of the whole file, if it is known."""

    offset: int
    size_bytes: int | None
    validator: str | None
    filename: str | None


class Download:
    """One attempt to fetch a file. All methods raise `JobError`s only."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._deadline = time.monotonic() + policy.total_seconds
        self._silent_seconds = 0.0
        """Spent waiting since the last byte. Time in which the caller does not read does not count."""
        self._loop = asyncio.new_event_loop()
        self._session: aiohttp.ClientSession | None = None
        self._response: aiohttp.ClientResponse | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hang_up()
        if self._session is not None:
            self._loop.run_until_complete(self._session.close())
        self._loop.close()

    def open(self, request: FileRequest, *, offset: int, validator: str | None) -> Resource:
        """Ask for a file, from `offset` on if the server still has the file that `validator` names.

        The server decides where its body begins: see `Resource.offset`.
        """
        self._hang_up()
        if offset and validator is not None:
            resource = self._run(self._open(request, offset, validator))
            if resource is not None:
                return resource
        resource = self._run(self._open(request, 0, None))
        if resource is None:
            raise failures.of_status(_PARTIAL, None)
        return resource

    def read(self) -> bytes | None:
        """Return the next bytes; b"" after the last one, None when none came within a second."""
        return self._run(self._read())

    # -- inside the loop

    async def _open(self, request: FileRequest, offset: int, validator: str | None) -> Resource | None:
        """Follow redirects to the file. None: the server cannot go on at `offset`."""
        url, headers = parse_url(request.url, allow_http=True), dict(request.headers)
        resuming = {"Range": f"bytes={offset}-", "If-Range": validator} if validator is not None else {}
        for _ in range(MAX_REDIRECTS + 1):
            response = await self._ask(url, {**headers, **resuming})
            if response.status not in _REDIRECTS:
                return self._judge(response, url, offset if resuming else 0, validator)
            target = _target(url, response)
            response.close()
            if _origin(target) != _origin(url):
                headers = {}
            url = target
        raise failures.too_many_redirects(MAX_REDIRECTS)

    async def _ask(self, url: WebUrl, headers: Mapping[str, str]) -> aiohttp.ClientResponse:
        if self._session is None:
            self._session = make_client_session(
                self._policy.allow_list,
                total_seconds=self._policy.total_seconds,
                connection_limit=1,
                proxy_url=self._policy.proxy_url,
                needs_body=True,
            )
        async with asyncio.timeout(min(self._policy.idle_seconds, self._left())):
            self._response = await self._session.get(
                URL(url.text, encoded=True),
                headers={"User-Agent": "Speakr", "Accept": "*/*", **headers},
                allow_redirects=False,
            )
        self._silent_seconds = 0.0
        return self._response

    def _judge(
        self, response: aiohttp.ClientResponse, url: WebUrl, offset: int, validator: str | None
    ) -> Resource | None:
        """Return what the answer offers, or None if it is no use for going on at `offset`."""
        status, headers = response.status, response.headers
        if offset and status == _UNSATISFIABLE:
            return None
        if status not in {_OK, _PARTIAL}:
            raise failures.of_status(status, headers.get("Retry-After"))
        if headers.get("Content-Encoding", "identity").strip().lower() not in {"", "identity"}:
            raise failures.is_encoded()
        found = _validator(headers)
        if status == _PARTIAL:
            size_bytes = _size_of_range(headers.get("Content-Range", ""), offset)
            if size_bytes is None or not offset or found not in {None, validator}:
                return None
            return Resource(offset, size_bytes, validator, None)
        if response.content_type in _WEB_PAGES and "Content-Type" in headers:
            raise failures.is_web_page()
        return Resource(0, response.content_length, found, _filename(headers, url))

    async def _read(self) -> bytes | None:
        if self._response is None:
            raise RuntimeError("no file was opened")
        began = time.monotonic()
        try:
            async with asyncio.timeout(min(TICK_SECONDS, self._left())):
                block = await self._response.content.readany()
        except TimeoutError:
            self._left()
            self._silent_seconds += time.monotonic() - began
            if self._silent_seconds > self._policy.idle_seconds:
                raise failures.timed_out(f"No byte arrived for {self._policy.idle_seconds:g} s.") from None
            return None
        self._silent_seconds = 0.0
        return block

    # -- outside of it

    def _run(self, step: Coroutine[Any, Any, Result]) -> Result:
        try:
            return self._loop.run_until_complete(step)
        except Exception as error:
            if isinstance(error, TimeoutError):
                self._left()
            raise failures.of_exception(error) from error

    def _left(self) -> float:
        """Return the seconds that are left in all; raises when there are none."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise failures.took_too_long(self._policy.total_seconds)
        return left

    def _hang_up(self) -> None:
        if self._response is not None:
            self._response.close()
            self._response = None


def _target(url: WebUrl, response: aiohttp.ClientResponse) -> WebUrl:
    """Read where a redirect leads; the guard judges it like the first address."""
    location = response.headers.get("Location", "").strip()
    if not location:
        raise failures.redirect_without_target(response.status)
    target = parse_url(urldefrag(urljoin(url.text, location)).url, allow_http=True)
    if url.scheme == "https" and target.scheme == "http":
        raise failures.downgraded()
    return target


def _origin(url: WebUrl) -> tuple[str, str, int]:
    return url.scheme, url.host, url.port


def _validator(headers: Mapping[str, str]) -> str | None:
    """Return what `If-Range` can name: a strong ETag, or else Last-Modified (RFC 9110, section 13.1.5)."""
    tag = headers.get("ETag", "").strip()
    found = tag if tag.startswith('"') and tag.endswith('"') else headers.get("Last-Modified", "").strip()
    is_fit = found.isascii() and found.isprintable() and 0 < len(found) <= MAX_VALIDATOR_LENGTH
    return found if is_fit else None


def _size_of_range(content_range: str, offset: int) -> int | None:
    """Return the size of the whole file if a `Content-Range` begins at `offset` and says it."""
    match = _CONTENT_RANGE.fullmatch(content_range.strip())
    if match is None or int(match[1]) != offset or match[3] == "*":
        return None
    size_bytes = int(match[3])
    return size_bytes if int(match[2]) < size_bytes else None


def _filename(headers: Mapping[str, str], url: WebUrl) -> str | None:
    """Return the name in `Content-Disposition` (RFC 6266), else the last part of the path."""
    with warnings.catch_warnings():  # aiohttp warns of a header that it cannot read
        warnings.simplefilter("ignore")
        _, parameters = parse_content_disposition(headers.get("Content-Disposition"))
    return (
        content_disposition_filename(parameters)
        or unquote(urlsplit(url.text).path.rpartition("/")[2])
        or None
    )
