"""Retry times of deliveries, and the meaning of answers. Pure functions: clock and random source are arguments."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from speakr.domain.deliveries import Verdict

_MINUTE, _HOUR = 60.0, 3600.0

SCHEDULE_SECONDS = (
    0.0,
    30.0,
    2 * _MINUTE,
    10 * _MINUTE,
    1 * _HOUR,
    3 * _HOUR,
    6 * _HOUR,
    12 * _HOUR,
    24 * _HOUR,
    24 * _HOUR,
    24 * _HOUR,
    24 * _HOUR,
)
"""The pause before each attempt, the first one included."""

MAX_PAUSE_SECONDS = 24 * _HOUR
JITTER = 0.2

Dice = Callable[[], float]
"""A source of numbers evenly spread over [0, 1), such as `random.random`."""

_DELTA_SECONDS = re.compile(r"[0-9]+")
_MAX_HEADER_LENGTH = 100


def classify(status: int | None, *, retry_after_seconds: float | None = None) -> Verdict:
    """Classify a status code; None means no answer (network error, timeout).

    413 is retried only when the receiver said when: RFC 9110 15.5.14 makes Retry-After the sign that the
    condition will pass. Codes outside 100 to 599 count as server errors (RFC 9110 15).
    """
    if status is None:
        return Verdict.RETRY
    if 200 <= status < 300:  # noqa: PLR2004 - the numbers are the field's own names
        return Verdict.DELIVERED
    if status == 410:  # noqa: PLR2004 - Gone
        return Verdict.GONE
    if status == 413:  # noqa: PLR2004 - Content Too Large
        return Verdict.GIVE_UP if retry_after_seconds is None else Verdict.RETRY
    if status in {408, 425, 429} or not 100 <= status < 500:  # noqa: PLR2004 - as above
        return Verdict.RETRY
    return Verdict.GIVE_UP


def retry_after(status: int | None, header: str | None, *, now: datetime) -> float | None:
    """Return the seconds that the receiver asked to wait, at most a day; None if it did not ask.

    It counts on 408, 413, 425, 429 and 503, and applies to all deliveries of the webhook.
    """
    if header is None or status not in {408, 413, 425, 429, 503}:
        return None
    return parse_retry_after(header, now=now)


def parse_retry_after(header: str, *, now: datetime) -> float | None:
    """Read a Retry-After value (RFC 9110 10.2.3): seconds or an HTTP date, cut to [0, 24 h]; None for junk."""
    text = header.strip()
    if len(text) > _MAX_HEADER_LENGTH:
        return None
    if _DELTA_SECONDS.fullmatch(text):
        return min(float(text), MAX_PAUSE_SECONDS)
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        asked = (moment - now).total_seconds()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return min(max(asked, 0.0), MAX_PAUSE_SECONDS)


def scheduled_pause(attempt: int) -> float:
    """Return the plain pause in seconds before attempt 1, 2, ...; beyond the schedule its last step repeats."""
    return SCHEDULE_SECONDS[min(attempt, len(SCHEDULE_SECONDS)) - 1]


def pause_before(attempt: int, *, dice: Dice, retry_after_seconds: float | None = None) -> float:
    """Return the pause in seconds before an attempt (2, 3, ...), with jitter of +-20 % so that retries spread.

    If the receiver asked for a later time, jitter only extends that pause, at most to a day. If it asked for an earlier
    time, the schedule applies.
    """
    scheduled = scheduled_pause(attempt) * (1 - JITTER + 2 * JITTER * dice())
    if retry_after_seconds is None:
        return scheduled
    asked = min(retry_after_seconds * (1 + JITTER * dice()), MAX_PAUSE_SECONDS)
    return max(scheduled, asked)
