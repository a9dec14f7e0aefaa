"""Errors for the HTTP statuses of providers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime

import structlog

from speakr.connectors.provider_words import MAX_BODY_BYTES, appended, codes_in, sentence_in
from speakr.domain.clock import now
from speakr.domain.errors import ConnectorBusy, ConnectorRejected, ConnectorTooLarge, ConnectorUnavailable

logger = structlog.get_logger(__name__)

_TOO_LARGE = 413
_TOO_MANY = 429
_OUT_OF_ORDER = 503
_PAYMENT_REQUIRED = 402
_USED_UP = frozenset(
    {"insufficient_quota", "insufficient_balance", "billing_hard_limit_reached", "billing_not_active"}
)
_WORTH_ASKING_AGAIN = frozenset({408, 409, 425, _TOO_MANY})
_REFUSALS: Mapping[int, str] = {
    400: "could not use the request; check the model name and its options",
    401: "does not accept the configured key",
    403: "does not allow this with the configured key",
    404: "does not know the model or the address",
    _TOO_LARGE: "says the request is too large",
    415: "cannot read this kind of audio",
    422: "could not use the request; check the model name and its options",
}
_PASSING_TROUBLES: Mapping[int, str] = {
    408: "took too long to read the request",
    _TOO_MANY: "is limiting the request rate",
}


def translate_status(
    service: str,
    status: int,
    *,
    body: str = "",
    secrets: Iterable[str] = (),
    retry_after: str | None = None,
    request_id: str | None = None,
) -> ConnectorRejected | ConnectorUnavailable:
    """Return the error for a status that is no success: Speakr's sentence, then the provider's without what is private.

    service: what failed, as the user knows it; body: the answer; secrets: texts that must not be shown. 429, and 503
    with a Retry-After, are no failures: the provider asks us to wait. 429 is also what some say when an account is
    used up, and then waiting is of little use.
    """
    sentence = sentence_in(body, secrets)
    is_out_of_money = not _USED_UP.isdisjoint(codes_in(body)) or status == _PAYMENT_REQUIRED
    logger.warning(
        "provider_refused", service=service, status=status, request_id=request_id, provider_message=sentence
    )
    said = appended(sentence)
    if status in _WORTH_ASKING_AGAIN or status >= 500:  # noqa: PLR2004 - the server error class of RFC 9110
        asks_to_wait = (status == _TOO_MANY and not is_out_of_money) or (
            status == _OUT_OF_ORDER and retry_after is not None
        )
        kind = ConnectorBusy if asks_to_wait else ConnectorUnavailable
        trouble = f"{service} {_PASSING_TROUBLES.get(status, 'is not able to answer right now')}"
        trouble = _used_up(service) if is_out_of_money else trouble
        return kind(
            f"{trouble} (HTTP {status}).{said}", retry_after_seconds=retry_after_seconds(retry_after, now())
        )
    refusal = ConnectorTooLarge if status == _TOO_LARGE else ConnectorRejected
    refused = f"{service} {_REFUSALS.get(status, 'refused the request')}"
    error = refusal(f"{_used_up(service) if is_out_of_money else refused} (HTTP {status}).{said}")
    error.provider_answer = body[:MAX_BODY_BYTES]
    error.status = status
    return error


def _used_up(service: str) -> str:
    return (
        f"The account at {service[:1].lower()}{service[1:]} is used up; add credit there, or raise its limit"
    )


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
