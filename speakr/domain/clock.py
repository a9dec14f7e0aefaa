"""The clock. Every time in Speakr is an aware UTC datetime."""

from datetime import UTC, datetime, timedelta


def now() -> datetime:
    """Return the current time, aware, in UTC."""
    return datetime.now(UTC)


def earlier(moment: datetime, by: timedelta) -> datetime:
    """Return a time earlier by a duration, or the earliest possible time."""
    try:
        return moment - by
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


def isoformat_z(moment: datetime) -> str:
    """Print a time as users see it: UTC, seconds, a final Z (RFC 3339)."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="seconds")[:19] + "Z"


def parse_iso(text: str) -> datetime:
    """Read an ISO 8601 date or time; without an offset it is taken as UTC.

    Raises:
        ValueError: the text is not an ISO 8601 date or time.

    """
    moment = datetime.fromisoformat(text.strip())
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
