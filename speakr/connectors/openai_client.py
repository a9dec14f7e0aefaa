"""Requests to an OpenAI-compatible API, with its errors as Speakr's.

Importing this module costs a second and 60 MB (the `openai` package), so connectors import it on their
first request and not before.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx2  # what the client below is made of; while a body is read, its errors come as they are
import openai

from speakr.connectors.openai_access import OpenAIAccess
from speakr.connectors.refusals import translate_status
from speakr.domain.errors import ConnectorRejected, ConnectorUnavailable

PUBLIC_BASE_URL = "https://api.openai.com/v1"
CONNECT_TIMEOUT_SECONDS = 10.0


class RawAnswer(Protocol):
    """The raw body of an answer, before the client parses it."""

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
    """Send one request and return the JSON object it was answered with. Raises what `ask` raises."""
    body = ask(service, request)
    try:
        answer = json.loads(body)
    except ValueError as error:  # not JSON, or not even text
        raise ConnectorUnavailable(f"{service} gave an answer that is not JSON.") from error
    if not isinstance(answer, Mapping):
        raise malformed(service)
    return answer


def ask(service: str, request: Callable[[], RawAnswer]) -> bytes:
    """Send one request and return the body it was answered with.

    service: what failed, as the user knows it ("The transcription provider").
    Raise ConnectorRejected when asking again cannot help and ConnectorUnavailable when it may; neither
    message holds the key.
    """
    try:
        return request().content
    except openai.APITimeoutError as error:
        raise ConnectorUnavailable(f"{service} did not answer in time.") from error
    except httpx2.TimeoutException as error:
        raise ConnectorUnavailable(f"{service} did not answer in time.") from error
    except (openai.APIConnectionError, httpx2.HTTPError) as error:
        raise ConnectorUnavailable(f"{service} cannot be reached.") from error
    except openai.APIStatusError as error:
        raise translate_status(
            service,
            error.status_code,
            body=_text_of(error),
            secrets=(error.request.headers.get("authorization", "").removeprefix("Bearer "),),
            retry_after=error.response.headers.get("retry-after"),
            request_id=error.request_id,
        ) from error


def _text_of(error: openai.APIStatusError) -> str:
    try:
        return error.response.content.decode("utf-8", "replace")
    except httpx2.HTTPError:  # it was cut off
        return ""


def malformed(service: str) -> ConnectorUnavailable:
    """Return the error for JSON of an undocumented shape, often from a proxy."""
    return ConnectorUnavailable(f"{service} gave an answer that cannot be understood.")
