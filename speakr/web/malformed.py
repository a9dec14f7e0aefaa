"""Answer requests that gunicorn cannot parse (RFC 9112), in the error format of the native API."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import orjson
from gunicorn.http import errors  # type: ignore[import-untyped]  # gunicorn has no types

_Row = tuple[type[Exception], int, str, str, str]

_ANSWERS: Sequence[_Row] = (
    (errors.LimitRequestLine, 414, "URI Too Long", "uri_too_long", "The request line is too long."),
    (
        errors.LimitRequestHeaders,
        431,
        "Request Header Fields Too Large",
        "headers_too_large",
        "The headers are too large, or too many.",
    ),
    (errors.ExpectationFailed, 417, "Expectation Failed", "expectation_failed", "Expect may be 100-continue only."),
    (
        errors.UnsupportedTransferCoding,
        501,
        "Not Implemented",
        "unsupported_transfer_coding",
        "Transfer-Encoding may be chunked only.",
    ),
    (errors.ParseException, 400, "Bad Request", "bad_request", "The request is malformed."),
)  # fmt: skip
"""Error of the parser -> status, reason phrase, code and sentence. The first one that fits counts."""


def answer(error: BaseException) -> bytes | None:
    """Return the whole response to a request that could not be parsed; None for an error that is no client's fault."""
    if isinstance(
        error, errors.ConfigurationProblem | errors.InvalidResponseHeader | errors.InvalidResponseHeaderName
    ):
        return None
    for kind, status, reason, code, sentence in _ANSWERS:
        if isinstance(error, kind):
            return _response(status, reason, code, sentence)
    return None


def _response(status: int, reason: str, code: str, sentence: str) -> bytes:
    request_id = uuid.uuid4().hex
    body = orjson.dumps({"error": sentence, "code": code, "request_id": request_id}) + b"\n"
    head = (
        f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\nContent-Type: application/json\r\n"
        f"X-Content-Type-Options: nosniff\r\nX-Request-ID: {request_id}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
