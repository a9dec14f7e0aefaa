"""Why a file could not be fetched: each cause as a job error with a stable code.

Messages name only hosts that a user or the remote server named. They never hold resolved addresses or any part of a
remote body.
"""

from __future__ import annotations

from collections.abc import Callable

import aiohttp

from speakr.domain.errors import Invalid, JobError, PermanentJobError, TransientJobError
from speakr.egress.guard import UNUSABLE, AddressRefused, NameNotResolved, without_reason
from speakr.egress.proxies import ProxyFault

_NOT_FOUND = frozenset({404, 410})
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_MAX_WAIT_SECONDS = 600.0


def of_exception(error: Exception) -> JobError:
    """Return the job error for what the guard, the proxy, the network or aiohttp raised."""
    if isinstance(error, JobError):
        return error
    if isinstance(error, Invalid):
        return _of_address(error)
    return next((make() for kinds, make in _OF_NETWORK if isinstance(error, kinds)), connection_lost())


def _of_address(error: Invalid) -> JobError:
    if isinstance(error, NameNotResolved) and error.is_passing:
        return TransientJobError(UNUSABLE, code="name_not_resolved")
    if isinstance(error, NameNotResolved | AddressRefused):
        return PermanentJobError(without_reason(error).message, code="address_refused")
    return PermanentJobError(error.message, code="invalid_url")


def _proxy_failed() -> TransientJobError:
    return TransientJobError("The proxy that files are fetched through failed.", code="proxy_failed")


def _tls_failed() -> TransientJobError:
    return TransientJobError("The TLS handshake with the server failed.", code="tls_failed")


def _not_http() -> TransientJobError:
    return TransientJobError("The answer of the server is not valid HTTP.", code="http_error")


_OF_NETWORK: tuple[tuple[tuple[type[Exception], ...], Callable[[], TransientJobError]], ...] = (
    ((ProxyFault, aiohttp.ClientProxyConnectionError, aiohttp.ClientHttpProxyError), _proxy_failed),
    ((TimeoutError,), lambda: timed_out("No answer came in time.")),
    ((aiohttp.ClientSSLError,), _tls_failed),
    ((aiohttp.ClientResponseError, ValueError), _not_http),
)
"""The first match decides."""


def connection_lost() -> TransientJobError:
    """Return the error for a connection that could not be made, or broke before the last byte."""
    return TransientJobError("The connection to the server broke.", code="connection_lost")


def timed_out(message: str) -> TransientJobError:
    """Return the error for a server that is silent for too long."""
    return TransientJobError(message, code="timed_out")


def took_too_long(seconds: float) -> PermanentJobError:
    """Return the error for a file that does not arrive within the total time; a retry would take as long."""
    return PermanentJobError(f"The file did not arrive within {seconds:g} s.", code="timed_out")


def of_status(status: int, retry_after: str | None) -> JobError:
    """Return the job error for a status that brings no file (RFC 9110, section 15)."""
    if status in _NOT_FOUND:
        return PermanentJobError(f"The server has no such file ({status}).", code="not_found")
    message = f"The server answered with status {status}."
    if status in _PASSING:
        return TransientJobError(message, code="http_error", retry_after_seconds=_seconds(retry_after))
    return PermanentJobError(message, code="http_error")


def _seconds(retry_after: str | None) -> float | None:
    """Read `Retry-After` in seconds, at most ten minutes; dates and anything else count as absent."""
    text = (retry_after or "").strip()
    if not text.isascii() or not text.isdigit():
        return None
    return min(float(text[:6]), _MAX_WAIT_SECONDS)


def too_many_redirects(limit: int) -> PermanentJobError:
    """Return the error for a chain of redirects that is too long."""
    return PermanentJobError(f"The address redirects more than {limit} times.", code="too_many_redirects")


def downgraded() -> PermanentJobError:
    """Return the error for a redirect that gives up encryption."""
    return PermanentJobError(
        "The server redirects from https to http, which is not followed.", code="address_refused"
    )


def is_web_page() -> PermanentJobError:
    """Return the error for an address that leads to HTML, as share links often do."""
    return PermanentJobError(
        "The address leads to a web page and not to a file. Use the address of the file itself.",
        code="unsupported_media",
    )


def is_encoded() -> PermanentJobError:
    """Return the error for a server that compresses although it was asked not to."""
    return PermanentJobError(
        "The server sends the file with a content encoding that was not asked for.",
        code="unsupported_encoding",
    )


def redirect_without_target(status: int) -> PermanentJobError:
    """Return the error for a redirect without a `Location`."""
    return PermanentJobError(f"The server answered with status {status} and no address.", code="http_error")
