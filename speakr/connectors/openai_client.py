"""Talk to an OpenAI-compatible API and tell its failures in our own words.

Importing this module costs a second and 60 MB (the `openai` package), so connectors import it on their
first request and not before.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

import openai
import structlog

from speakr.connectors.openai_access import OpenAIAccess
from speakr.domain.clock import now
from speakr.domain.errors import ConnectorRejected, ConnectorUnavailable

logger = structlog.get_logger(__name__)

PUBLIC_BASE_URL = "https://api.openai.com/v1"
CONNECT_TIMEOUT_SECONDS = 10.0

_WORTH_ASKING_AGAIN = frozenset({408, 409, 425, 429})
_REFUSALS: Mapping[int, str] = {
    400: "could not use the request; check the model name and its options",
    401: "does not accept the configured key",
    403: "does not allow this with the configured key",
    404: "does not know the model or the address",
    413: "says the request is too large",
    415: "cannot read this kind of audio",
    422: "could not use the request; check the model name and its options",
}
_PASSING_TROUBLES: Mapping[int, str] = {
    408: "took too long to read the request",
    429: "is limiting how much we may ask",
}


class RawAnswer(Protocol):
    """The one thing we want of an answer: its body, before any model class has guessed at it."""

    @property
    def content(self) -> bytes:
        """Return the body."""
        ...


def open_client(access: OpenAIAccess) -> openai.OpenAI:
    """Make a client that asks once: trying again is the job's decision, with its own pauses.

    The base URL and the key are always given, so that `OPENAI_*` variables meant for other programs
    never send our key, or theirs, to the wrong server.
    """
    base_url = access.base_url or PUBLIC_BASE_URL
    if not _is_web_address(base_url):
        raise ConnectorRejected("The provider's base URL must be an http or https address.")
    if not (access.api_key.isascii() and access.api_key.isprintable()):
        raise ConnectorRejected("The provider's key holds characters that no key can hold.")
    return openai.OpenAI(
        base_url=base_url,
        api_key=access.api_key or "not-needed",
        timeout=timeout(access.timeout_seconds),
        max_retries=0,
    )


def timeout(seconds: float) -> openai.Timeout:
    """Return the longest silence allowed; a server that is there takes a connection sooner."""
    return openai.Timeout(seconds, connect=min(seconds, CONNECT_TIMEOUT_SECONDS))


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def ask_for_json(service: str, request: Callable[[], RawAnswer]) -> Mapping[str, Any]:
    """Send one request and return the JSON object it was answered with.

    service: what failed, as the user knows it ("The transcription provider").
    Raise ConnectorRejected when asking again cannot help and ConnectorUnavailable when it may; neither
    message holds the key or anything the other side wrote.
    """
    try:
        body = request().content
    except openai.APITimeoutError as error:
        raise ConnectorUnavailable(f"{service} did not answer in time.") from error
    except openai.APIConnectionError as error:
        raise ConnectorUnavailable(f"{service} cannot be reached.") from error
    except openai.APIStatusError as error:
        raise _translate(service, error) from error
    try:
        answer = json.loads(body)
    except ValueError as error:  # not JSON, or not even text
        raise ConnectorUnavailable(f"{service} gave an answer that is not JSON.") from error
    if not isinstance(answer, Mapping):
        raise malformed(service)
    return answer


def malformed(service: str) -> ConnectorUnavailable:
    """Return the error for JSON of another shape than documented: often a proxy having a bad moment."""
    return ConnectorUnavailable(f"{service} gave an answer that cannot be understood.")


def _translate(service: str, error: openai.APIStatusError) -> ConnectorRejected | ConnectorUnavailable:
    status = error.status_code
    logger.warning("provider_refused", service=service, status=status, request_id=error.request_id)
    if status in _WORTH_ASKING_AGAIN or status >= 500:  # noqa: PLR2004 - the server error class of RFC 9110
        trouble = _PASSING_TROUBLES.get(status, "is not able to answer right now")
        return ConnectorUnavailable(
            f"{service} {trouble} (HTTP {status}).",
            retry_after_seconds=retry_after_seconds(error.response.headers.get("retry-after"), now()),
        )
    return ConnectorRejected(f"{service} {_REFUSALS.get(status, 'refused the request')} (HTTP {status}).")


def retry_after_seconds(header: str | None, moment: datetime) -> float | None:
    """Read a Retry-After header (RFC 9110, section 10.2.3): seconds, or a date; None when it is neither."""
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(header) - moment).total_seconds()
        except (ValueError, TypeError):  # not a date; or one without a zone, which cannot be compared
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
