"""Reasons why an attempt got no answer: a sentence for the webhook's owner that names the phase.

It contains only names that the owner typed, because aiohttp's messages contain resolved addresses of the server's network.
"""

from __future__ import annotations

import os
import ssl
import traceback
from dataclasses import dataclass
from enum import StrEnum

import aiohttp

from speakr.domain.errors import Invalid
from speakr.egress import AddressRefused, NameNotResolved
from speakr.egress.client import CONNECT_TIMEOUT_SECONDS
from speakr.egress.guard import without_reason
from speakr.egress.proxies import ProxyFault


class Phase(StrEnum):
    """The phase of an attempt."""

    DNS = "DNS"
    CONNECT = "connect"
    TLS = "TLS"
    HTTP = "HTTP"


_RECEIVER_OUT_OF_REACH = frozenset({403, 502, 503, 504})
"""Answers to CONNECT by which a working proxy says that it may not or cannot reach the receiver."""


@dataclass(slots=True)
class Progress:
    """State of a running attempt. `reused`: it uses a kept-alive connection."""

    is_https: bool
    phase: Phase = Phase.CONNECT
    reused: bool = False


def is_permanent(error: Exception) -> bool:
    """Return True if a retry cannot help, because the address is refused."""
    return isinstance(error, Invalid) and not isinstance(error, NameNotResolved)


def proxy_fault(error: Exception, progress: Progress) -> str | None:
    """Return what is wrong with the proxy; None if the error is about the receiver."""
    in_between = progress.phase in {Phase.DNS, Phase.CONNECT}  # there is no way to the receiver yet
    fault: str | None = None
    match error:
        case ProxyFault():
            fault = str(error)
        case aiohttp.ClientHttpProxyError() if error.status not in _RECEIVER_OUT_OF_REACH:
            fault = f"answered {error.status}"
        case aiohttp.ClientConnectorDNSError() | aiohttp.ClientProxyConnectionError():
            fault = "could not be reached"
        case aiohttp.ServerTimeoutError() if in_between and not _was_tunnelled(error):
            fault = "could not be reached"
        case aiohttp.ClientConnectorError() | aiohttp.ClientHttpProxyError():
            pass
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError() | aiohttp.ClientResponseError():
            fault = "broke off" if in_between else None
    return fault


def explain(error: Exception, progress: Progress, *, timeout_seconds: float) -> str:
    """Return one sentence on what went wrong."""
    match error:
        case Invalid():
            return _invalid(error)
        case TimeoutError():
            return _timeout(error, progress, timeout_seconds)
        case aiohttp.ClientSSLError():
            return f"TLS: {_tls(error)}."
        case aiohttp.ClientConnectorError() | aiohttp.ClientHttpProxyError():
            return f"connect: {_connect(error)}."
        case OSError():
            return f"{progress.phase}: the connection broke ({_reason(error)})."
        case _:
            return f"{progress.phase}: {_exchange(error)}."


def _invalid(error: Invalid) -> str:
    match error:
        case NameNotResolved() | AddressRefused():
            return f"Address: {without_reason(error).message}"
        case _:
            return f"Address: {error.message}"


def _exchange(error: Exception) -> str:
    match error:
        case aiohttp.ServerDisconnectedError():
            return "the connection was closed before a complete answer came"
        case aiohttp.ClientResponseError():
            return "the answer is not valid HTTP"
        case _:
            return f"the exchange failed ({type(error).__name__})"


def _timeout(error: BaseException, progress: Progress, timeout_seconds: float) -> str:
    phase = progress.phase
    if phase is Phase.CONNECT and progress.is_https and _was_connected(error):
        phase = Phase.TLS
    if isinstance(error, aiohttp.ServerTimeoutError):
        timeout_seconds = CONNECT_TIMEOUT_SECONDS
    what = {
        Phase.DNS: "the name was not resolved",
        Phase.CONNECT: "no connection was made",
        Phase.TLS: "the handshake did not end",
        Phase.HTTP: "no answer came",
    }[phase]
    return f"{phase} timeout: {what} within {timeout_seconds:g} s."


def _was_connected(error: BaseException | None) -> bool:
    """Return True if a timeout came after TCP connected; aiohttp does not say so, but the place of its wait does."""
    while error is not None:
        frames = traceback.extract_tb(error.__traceback__)
        if any("aiohappyeyeballs" in frame.filename for frame in frames):
            return False
        if any(frame.name == "_create_connection_transport" for frame in frames):
            return True
        error = error.__cause__ or error.__context__
    return False


def _was_tunnelled(error: BaseException | None) -> bool:
    """Return True if a timeout came after the proxy had connected."""
    while error is not None:
        if any(frame.name == "_start_tls_connection" for frame in traceback.extract_tb(error.__traceback__)):
            return True
        error = error.__cause__ or error.__context__
    return False


def _tls(error: aiohttp.ClientSSLError) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        why = getattr(error.certificate_error, "verify_message", "") or "verification failed"
        return f"the certificate was not accepted ({why})"
    reason = error.os_error.reason if isinstance(error.os_error, ssl.SSLError) else None
    return f"the handshake failed ({(reason or 'unknown reason').replace('_', ' ').lower()})"


def _connect(error: aiohttp.ClientConnectorError | aiohttp.ClientHttpProxyError) -> str:
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"the proxy could not reach the receiver ({error.status})"
    return _reason(error.os_error)


def _reason(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno else "no connection could be made"
