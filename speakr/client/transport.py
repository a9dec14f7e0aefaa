"""Requests to the server, with retries where they can help."""

from __future__ import annotations

import email.utils
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase

from speakr import __version__
from speakr.client.errors import ApiError, ClientError, Unreachable
from speakr.client.multipart import MultipartBody

Json = dict[str, Any]

PAUSES_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Seconds before each retry. Their sum exceeds the time that a lost upload holds its key (a minute)."""
MAX_WAIT_SECONDS = 120.0
"""The client does not wait longer than this, in seconds, for a Retry-After."""
_CONNECT_SECONDS = 10.0
_TOO_MANY = 429
_PASSING = {502, 503, 504}
_REDIRECTS = range(300, 400)


class _Bearer(AuthBase):
    """The token. As `auth` and not as a header: `requests` would let ~/.netrc replace a header."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class Transport:
    """One server, one credential, one pool of connections."""

    def __init__(
        self, base_url: str, auth: AuthBase, *, timeout: float, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.base_url = clean_url(base_url)
        self._timeout = timeout
        self._sleep = sleep
        self._session = requests.Session()
        self._session.auth = auth
        self._session.headers["User-Agent"] = f"speakr-client/{__version__}"
        self._session.headers["Accept"] = "application/json"

    @classmethod
    def with_token(
        cls, base_url: str, token: str, *, timeout: float, sleep: Callable[[float], None]
    ) -> Transport:
        """Ask with a token."""
        return cls(base_url, _Bearer(token), timeout=timeout, sleep=sleep)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        open_body: Callable[[], MultipartBody] | None = None,
    ) -> Json:
        """Ask until there is an answer; return its JSON ({} if it has none).

        What was read may be read again, and every POST carries one Idempotency-Key through all its tries, so both
        are asked again when no answer came or the server is away. One request too many (429) was not done at all,
        so anything is asked again after it.
        """
        may_repeat = method in {"GET", "POST"}
        headers = {"Idempotency-Key": idempotency_key or str(uuid.uuid4())} if method == "POST" else {}
        pauses = iter(PAUSES_SECONDS)
        while True:
            answer: requests.Response | None = None
            failure: ClientError
            try:
                with _body(open_body) as body:
                    answer = self._session.request(
                        method,
                        f"{self.base_url}/api/v1{path}",
                        params=params,
                        json=json,
                        data=body,
                        headers=headers if body is None else {**headers, "Content-Type": body.content_type},
                        timeout=(_CONNECT_SECONDS, self._timeout),
                        allow_redirects=False,
                    )
                return _read(answer)
            except ApiError as error:
                failure, helps = error, error.status == _TOO_MANY or (may_repeat and _is_passing(error))
            except requests.RequestException as error:
                failure, helps = _unreachable(self.base_url, error), may_repeat and _is_about_the_line(error)
            pause = _pause(next(pauses, None), answer)
            if not helps or pause is None:
                raise failure from None
            self._sleep(pause)

    def send(
        self, method: str, path: str, *, headers: Mapping[str, str], data: Iterable[bytes] | bytes = b""
    ) -> requests.Response:
        """Ask once, with headers and bytes of the caller's own, and return the answer.

        Raises:
            ApiError: it is a failure.
            Unreachable: there was none.

        """
        try:
            answer = self._session.request(
                method,
                f"{self.base_url}/api/v1{path}",
                data=data,
                headers={"Tus-Resumable": "1.0.0", **headers},
                timeout=(_CONNECT_SECONDS, self._timeout),
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise _unreachable(self.base_url, error) from None
        if not answer.ok or answer.status_code in _REDIRECTS:
            _read(answer)
        return answer


def _body(open_body: Callable[[], MultipartBody] | None) -> AbstractContextManager[MultipartBody | None]:
    return nullcontext() if open_body is None else open_body()


def _read(answer: requests.Response) -> Json:
    """Return the JSON of an answer, or raise its error."""
    if answer.ok and answer.status_code not in _REDIRECTS:
        if not answer.content:
            return {}
        decoded = _json(answer)
        if decoded is None:
            raise ApiError(answer.status_code, "not_speakr", "What answers at this address is not Speakr.")
        return decoded
    decoded = _json(answer)
    if decoded is None or not isinstance(decoded.get("error"), str):
        raise ApiError(answer.status_code, "not_speakr", _sentence_for(answer))
    raise ApiError(
        answer.status_code,
        str(decoded.get("code") or "error"),
        decoded["error"],
        decoded["errors"] if isinstance(decoded.get("errors"), dict) else None,
        decoded.get("request_id"),
    )


def _json(answer: requests.Response) -> Json | None:
    try:
        decoded = answer.json()
    except ValueError:
        return None
    return decoded if isinstance(decoded, dict) else None


def _sentence_for(answer: requests.Response) -> str:
    if answer.status_code in _REDIRECTS:
        return f"The server says it is elsewhere ({answer.headers.get('Location', 'nowhere')}); use that address."
    return (
        f"What answers at this address says {answer.status_code} {answer.reason}, and not in Speakr's way; "
        "a proxy may stand in between."
    )


def _is_passing(error: ApiError) -> bool:
    """Return True if a retry may succeed. In flight: the server still processes the first attempt."""
    return error.status in _PASSING or error.code == "idempotency_in_flight"


def _is_about_the_line(error: requests.RequestException) -> bool:
    if isinstance(error, requests.exceptions.SSLError):
        return False
    return isinstance(
        error, requests.ConnectionError | requests.Timeout | requests.exceptions.ChunkedEncodingError
    )


def _unreachable(base_url: str, error: requests.RequestException) -> Unreachable:
    if isinstance(error, requests.exceptions.SSLError):
        return Unreachable(f"The certificate of {base_url} cannot be trusted, or it speaks no TLS.")
    if isinstance(error, requests.Timeout):
        return Unreachable(f"{base_url} did not answer in time.")
    if isinstance(error, requests.ConnectionError):
        return Unreachable(f"{base_url} cannot be reached.")
    return Unreachable(f"Asking {base_url} failed: {error}")


def _pause(ours: float | None, answer: requests.Response | None) -> float | None:
    """Return how long to wait before the next try: what the server asked for, or ours; None is not at all."""
    asked = None if answer is None else retry_after_seconds(answer.headers.get("Retry-After"))
    if ours is None or (asked is not None and asked > MAX_WAIT_SECONDS):
        return None
    return ours if asked is None else asked


def retry_after_seconds(header: str | None) -> float | None:
    """Read a Retry-After header: seconds, or a date (RFC 9110, section 10.2.3); None when it is neither."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        when = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max((when - datetime.now(UTC)).total_seconds(), 0.0)


def clean_url(text: str) -> str:
    """Return a server's address as we write it: no slash at the end, no /api/v1.

    Raises:
        ClientError: it is none.

    """
    text = text.strip().rstrip("/").removesuffix("/api/v1").rstrip("/")
    try:
        parts = urlsplit(text)
        is_fine = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_fine = False
    else:
        is_fine = is_fine and "@" not in parts.netloc and not parts.query and not parts.fragment
    if not is_fine:
        raise ClientError(
            "A server's address looks like https://speakr.example.org or http://127.0.0.1:8899."
        )
    return text
