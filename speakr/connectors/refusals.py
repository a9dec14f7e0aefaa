"""Errors for the HTTP statuses of providers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime

import structlog

from speakr.domain.clock import now
from speakr.domain.errors import ConnectorBusy, ConnectorRejected, ConnectorTooLarge, ConnectorUnavailable

logger = structlog.get_logger(__name__)

_TOO_LARGE = 413
_TOO_MANY = 429
_OUT_OF_ORDER = 503
_WORTH_ASKING_AGAIN = frozenset({408, 409, 425, _TOO_MANY})
_REFUSALS: Mapping[int, str] = {
    400: "could not use the request; check the model name and its options",
    401: "does not accept the configured key",
    402: "requires payment",
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
    retry_after: str | None = None,
    request_id: str | None = None,
    is_out_of_money: bool = False,
) -> ConnectorRejected | ConnectorUnavailable:
    """Return the error for a status that is no success; its message holds nothing that the other side wrote.

    service: what failed, as the user knows it. 429, and 503 with a Retry-After, are no failures: the provider
    asks us to wait. 429 is also what some say when an account is used up, and then waiting is of little use.
    """
    logger.warning("provider_refused", service=service, status=status, request_id=request_id)
    if status in _WORTH_ASKING_AGAIN or status >= 500:  # noqa: PLR2004 - the server error class of RFC 9110
        trouble = _PASSING_TROUBLES.get(status, "is not able to answer right now")
        asks_to_wait = (status == _TOO_MANY and not is_out_of_money) or (
            status == _OUT_OF_ORDER and retry_after is not None
        )
        kind = ConnectorBusy if asks_to_wait else ConnectorUnavailable
        return kind(
            f"{service} {trouble} (HTTP {status}).",
            retry_after_seconds=retry_after_seconds(retry_after, now()),
        )
    refusal = ConnectorTooLarge if status == _TOO_LARGE else ConnectorRejected
    return refusal(f"{service} {_REFUSALS.get(status, 'refused the request')} (HTTP {status}).")


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
