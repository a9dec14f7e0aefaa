"""Plain HTTP to a speech engine: one request, one JSON answer, every failure in our own words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests

from speakr.connectors.provider_words import MAX_BODY_BYTES
from speakr.connectors.refusals import translate_status
from speakr.connectors.transcription.base import ChunkContext
from speakr.connectors.transcription.waiting import read_bounded, wait_interruptibly
from speakr.domain.errors import ConnectorRejected, ConnectorUnavailable

CONNECT_TIMEOUT_SECONDS = 10.0
_PIECE_BYTES = 65_536


class Service:
    """One engine behind HTTP; `name` is what users know it by ("The transcription provider")."""

    def __init__(self, name: str, base_url: str, headers: Mapping[str, str], timeout_seconds: float) -> None:
        self.name = name
        self._base_url = base_url.rstrip("/")
        self._headers = dict(headers)
        self._timeout_seconds = timeout_seconds

    def ask(
        self, method: str, path: str, context: ChunkContext, *, seconds: float | None = None, **request: Any
    ) -> Mapping[str, Any]:
        """Send one request and return the JSON object it was answered with.

        request: as for `requests.request`.

        Raises:
            ConnectorRejected: asking again cannot help.
            ConnectorUnavailable: asking again later may help.

        """
        if urlsplit(self._base_url).scheme not in {"http", "https"}:
            raise ConnectorRejected(f"{self.name} needs a base URL that is an http or https address.")
        time_limit = min(seconds or self._timeout_seconds, self._timeout_seconds)
        body = wait_interruptibly(
            self.name, lambda: self._send(method, path, time_limit, request), time_limit, context.heartbeat
        )
        try:
            answer = json.loads(body)
        except ValueError as error:
            raise ConnectorUnavailable(f"{self.name} gave an answer that is not JSON.") from error
        if not isinstance(answer, Mapping):
            raise self.malformed()
        return answer

    def malformed(self) -> ConnectorUnavailable:
        """Return the error for JSON of another shape than documented: often a proxy having a bad moment."""
        return ConnectorUnavailable(f"{self.name} gave an answer that cannot be understood.")

    def _send(self, method: str, path: str, seconds: float, request: Mapping[str, Any]) -> bytes:
        silence = (min(CONNECT_TIMEOUT_SECONDS, seconds), seconds)
        headers = {**self._headers, **request.get("headers", {})}
        try:
            with requests.Session() as session:
                # The environment's proxies and .netrc are other programs': our key is for this address only.
                session.trust_env = False
                with session.request(
                    method,
                    self._base_url + path,
                    timeout=silence,
                    stream=True,
                    allow_redirects=False,
                    **{**request, "headers": headers},
                ) as answer:
                    if not answer.ok or answer.is_redirect:
                        raise self._refusal(answer, headers)
                    return read_bounded(self.name, answer.iter_content(_PIECE_BYTES))
        except requests.Timeout as error:
            raise ConnectorUnavailable(f"{self.name} did not answer in time.") from error
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidHeader) as error:
            raise ConnectorRejected(
                f"{self.name} is configured with an address or key nobody can use."
            ) from error
        except requests.RequestException as error:
            raise ConnectorUnavailable(f"{self.name} cannot be reached.") from error

    def _refusal(
        self, answer: requests.Response, headers: Mapping[str, str]
    ) -> ConnectorRejected | ConnectorUnavailable:
        try:
            body = next(answer.iter_content(MAX_BODY_BYTES), b"")
        except requests.RequestException:  # the status says enough
            body = b""
        return translate_status(
            self.name,
            answer.status_code,
            body=body.decode("utf-8", "replace"),
            secrets=[headers.get("Authorization", "").removeprefix("Bearer ")],
            retry_after=answer.headers.get("Retry-After"),
        )
