"""One attempt: one signed request, and the consequence of its answer for the delivery."""

from __future__ import annotations

import asyncio
import codecs
import functools
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

import aiohttp

from speakr.domain.clock import now
from speakr.domain.deliveries import Verdict
from speakr.domain.errors import Invalid
from speakr.domain.events import EventType
from speakr.domain.headers import problems as header_problems
from speakr.domain.signatures import delivery_headers
from speakr.egress import parse_url
from speakr.egress.client import post
from speakr.egress.proxies import ProxyFault
from speakr.egress.urls import WebUrl
from speakr.services.webhooks.deliveries.claiming import Dispatch
from speakr.services.webhooks.deliveries.sending import AttemptResult
from speakr.webhooks import retry_schedule
from speakr.webhooks.failures import Phase, Progress, explain, is_permanent, proxy_fault

MAX_PREVIEW_BYTES = 2_000
BODY_SECONDS = 1.0
"""Seconds to read the body of an answer after its status line. Only a preview is stored."""

PROXY_PAUSE_SECONDS = 30.0
"""Seconds that a webhook waits after a failure of the proxy."""

_PROXY_WANTS_CREDENTIALS = 407

_parse = functools.lru_cache(maxsize=4096)(parse_url)
_progress: ContextVar[Progress | None] = ContextVar("attempt_progress", default=None)


def watch_progress(session: aiohttp.ClientSession) -> None:
    """Make a session report the phase of each request. Call it once, before the first request."""

    def mark(phase: Phase, *, reused: bool = False) -> Callable[..., Awaitable[None]]:
        async def on_signal(_session: aiohttp.ClientSession, _context: Any, _params: Any) -> None:
            progress = _progress.get()
            if progress is not None:
                progress.phase, progress.reused = phase, reused

        return on_signal

    trace = aiohttp.TraceConfig()
    trace.on_connection_create_start.append(mark(Phase.CONNECT))
    trace.on_dns_resolvehost_start.append(mark(Phase.DNS))
    trace.on_dns_resolvehost_end.append(mark(Phase.CONNECT))
    trace.on_connection_create_end.append(mark(Phase.HTTP))
    trace.on_connection_reuseconn.append(mark(Phase.HTTP, reused=True))
    trace.freeze()
    session.trace_configs.append(trace)


class Sender:
    """Sends over one guarded session (`speakr.egress.client`), which it does not own."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        timeout_seconds: float,
        max_attempts: int,
        is_proxied: bool = False,
    ) -> None:
        self._session = session
        self._is_proxied = is_proxied
        self._timeout_seconds = timeout_seconds
        self._max_attempts = max_attempts
        watch_progress(session)

    async def attempt(self, dispatch: Dispatch) -> AttemptResult:
        """Send a delivery once and classify the answer. Never raises for what a receiver does."""
        began = time.monotonic()
        outcome = await self._attempt(dispatch)
        return replace(outcome, duration_ms=round((time.monotonic() - began) * 1000))

    async def _attempt(self, dispatch: Dispatch) -> AttemptResult:
        try:
            url = _parse(dispatch.url, allow_http=dispatch.allow_http)
        except Invalid as error:
            return self.failed(dispatch, error, Progress(is_https=False))
        progress = Progress(is_https=url.scheme == "https")
        _progress.set(progress)
        try:
            async with AsyncExitStack() as exchange:
                async with asyncio.timeout(self._timeout_seconds):
                    response = await self._ask(exchange, url, dispatch, progress)
                if self._is_proxied and response.status == _PROXY_WANTS_CREDENTIALS and not progress.is_https:
                    return self._not_sent(dispatch, f"answered {_PROXY_WANTS_CREDENTIALS}")
                return await self._judge(dispatch, response)
        except (aiohttp.ClientError, ProxyFault, TimeoutError, OSError, Invalid) as error:
            fault = proxy_fault(error, progress) if self._is_proxied else None
            if fault is not None:
                return self._not_sent(dispatch, fault)
            return self.failed(dispatch, error, progress)

    async def _ask(
        self, exchange: AsyncExitStack, url: WebUrl, dispatch: Dispatch, progress: Progress
    ) -> aiohttp.ClientResponse:
        """Send the request and wait for the status line."""
        try:
            return await exchange.enter_async_context(self._post(url, dispatch))
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            # The receiver closed a kept-alive connection during the write: this is not a failure of the receiver.
            if not progress.reused or not _is_unanswered(error):
                raise
        return await exchange.enter_async_context(self._post(url, dispatch))

    def _post(self, url: WebUrl, dispatch: Dispatch) -> Any:
        ours = delivery_headers(
            event_id=dispatch.event_uuid,
            event_type=dispatch.event_type,
            body=dispatch.body,
            secrets=dispatch.secrets,
            attempted_at=now(),
            sequence=dispatch.sequence,
        )
        headers = {**ours, **owners_headers(dispatch.headers)}
        return post(self._session, url, body=dispatch.body, headers=headers)

    async def _judge(self, dispatch: Dispatch, response: aiohttp.ClientResponse) -> AttemptResult:
        status = response.status
        asked = retry_schedule.retry_after(status, response.headers.get("Retry-After"), now=now())
        verdict = retry_schedule.classify(status, retry_after_seconds=asked)
        return AttemptResult(
            delivery_id=dispatch.delivery_id,
            webhook_id=dispatch.webhook_id,
            claimed_until=dispatch.claimed_until,
            is_test=_is_test(dispatch),
            verdict=verdict,
            response_status=status,
            preview=await read_preview(response),
            retry_in_seconds=self._pause(dispatch, asked) if verdict is Verdict.RETRY else None,
            silent_seconds=asked,
        )

    def _not_sent(self, dispatch: Dispatch, fault: str) -> AttemptResult:
        """Return the outcome of an attempt that failed at the proxy; it says nothing about the receiver."""
        pause = PROXY_PAUSE_SECONDS * random.uniform(1.0, 1.2)  # noqa: S311 - for jitter, not for security
        return AttemptResult(
            delivery_id=dispatch.delivery_id,
            webhook_id=dispatch.webhook_id,
            claimed_until=dispatch.claimed_until,
            is_test=_is_test(dispatch),
            verdict=Verdict.GIVE_UP if _is_test(dispatch) else Verdict.NOT_SENT,
            error=f"proxy: The proxy that webhooks are sent through {fault}.",
            retry_in_seconds=pause,
            silent_seconds=pause,
        )

    def failed(self, dispatch: Dispatch, error: Exception, progress: Progress) -> AttemptResult:
        """Return the outcome of an attempt that got no answer."""
        verdict = Verdict.GIVE_UP if is_permanent(error) else Verdict.RETRY
        return AttemptResult(
            delivery_id=dispatch.delivery_id,
            webhook_id=dispatch.webhook_id,
            claimed_until=dispatch.claimed_until,
            is_test=_is_test(dispatch),
            verdict=verdict,
            error=explain(error, progress, timeout_seconds=self._timeout_seconds),
            retry_in_seconds=self._pause(dispatch, None) if verdict is Verdict.RETRY else None,
        )

    def _pause(self, dispatch: Dispatch, asked: float | None) -> float | None:
        most = min(self._max_attempts, dispatch.max_attempts or self._max_attempts)
        if dispatch.attempt >= most or _is_test(dispatch):
            return None
        return retry_schedule.pause_before(
            dispatch.attempt + 1, dice=random.random, retry_after_seconds=asked
        )


@functools.lru_cache(maxsize=4096)
def owners_headers(chosen: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Return the owner's headers that may be sent, without any that Speakr sets; checked again after saving."""
    return {name: value for name, value in chosen if not header_problems({name: value})}


def _is_test(dispatch: Dispatch) -> bool:
    """Return True for a test delivery, which gets one attempt."""
    return dispatch.event_type == EventType.WEBHOOK_TEST


def _is_unanswered(error: aiohttp.ClientError) -> bool:
    """Return True if a connection broke before any byte of an answer."""
    # aiohttp puts the part of an answer that it has read in the place of its usual message.
    return not isinstance(error, aiohttp.ServerDisconnectedError) or isinstance(error.message, str)


async def read_preview(response: aiohttp.ClientResponse) -> str:
    """Read the beginning of an answer's body within a short time limit; the status has decided already.

    The bytes stay compressed, so a compressed body is never inflated. A body that is not read to its end closes the connection.
    """
    content = response.content
    read = bytearray()
    ended = False
    try:
        if content.is_eof():  # the whole body came with the head, as usual
            read += content.read_nowait(MAX_PREVIEW_BYTES)
        async with asyncio.timeout(BODY_SECONDS):
            while len(read) < MAX_PREVIEW_BYTES and not content.at_eof():
                read += await content.read(MAX_PREVIEW_BYTES - len(read))
        ended = content.at_eof()
    except (aiohttp.ClientError, TimeoutError, OSError):
        pass
    if not ended:
        response.close()
    # A character cut by the end of the preview is left out.
    return codecs.getincrementaldecoder("utf-8")("replace").decode(bytes(read), final=ended)
