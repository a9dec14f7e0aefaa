"""When a recording was made: what the tags of its file say, and what its name says.

A time of which no zone is known is returned without one; it is of the user's zone (`in_zone`). A day without a time is
midnight UTC, which stands for that day in every zone. Times that no recorder means are ignored: those of clocks that
were never set, and those in the future.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

_FIRST_YEAR: Final = 1995
"""Clocks that were never set say 1904 (QuickTime), 1970 (Unix) or 1980 (FAT)."""
_TOLERANCE: Final = timedelta(days=1)
"""How far in the future a time may be: clocks are wrong, and the zone may be unknown."""

_WITH_ZONE = ("com.apple.quicktime.creationdate", "creation_time")
_OTHERS = ("encoded_date", "date_recorded", "recording_time", "date")

_DAY = r"(?P<year>(?:19|20)\d\d)(?P<gap>[-_.]?)(?P<month>0[1-9]|1[0-2])(?P=gap)(?P<day>0[1-9]|[12]\d|3[01])"
_TIME = r"(?P<hour>[01]\d|2[0-3])[-_.:h]?(?P<minute>[0-5]\d)(?:[-_.:m]?(?P<second>[0-5]\d))?"
_BETWEEN = r"(?:[ _.T-]{1,3}|[ _]at[ _]|,[ _])"
_IN_NAME = (
    # GMT20260716-110203_Recording, PXL_20260716_110203123: Zoom's names and those of Pixel telephones are in UTC.
    re.compile(rf"(?P<utc>GMT|PXL_){_DAY}[-_]{_TIME}"),
    # 2026-07-16 11-02-03, 20260716_1102, Recording 2026-07-16 at 11.02.03, audio_2026-07-16_11-02-03
    re.compile(rf"(?<!\d){_DAY}{_BETWEEN}{_TIME}(?:\d{{3}})?(?P<half>\s?[AP]M)?(?P<utc>Z)?(?!\d)"),
    # 20260716110203
    re.compile(rf"(?<!\d){_DAY}(?<=\d{{8}})(?P<hour>[01]\d|2[0-3])(?P<minute>[0-5]\d)(?P<second>[0-5]\d)(?P<utc>Z)?(?!\d)"),
    # PTT-20260716-WA0001, 2026-07-16 Meeting
    re.compile(rf"(?<!\d){_DAY}(?!\d)"),
)  # fmt: skip
"""Names that recorders, telephones and messengers give, the most exact first."""


def from_tags(tags: Mapping[str, str], moment: datetime) -> datetime | None:
    """Return the first believable time among the tags of a file.

    tags: by FFmpeg's names in lower case; moment: the present.
    """
    for text in _texts(tags):
        found = _parse(text)
        if found is not None and is_believable(found, moment):
            return found
    return None


def from_filename(name: str, moment: datetime) -> datetime | None:
    """Return the time in a file's name. moment: the present."""
    stem = name.rpartition(".")[0] or name
    for pattern in _IN_NAME:
        for match in pattern.finditer(stem):
            found = _of_match(match.groupdict())
            if found is not None and is_believable(found, moment):
                return found
    return None


def in_zone(moment: datetime, zone: ZoneInfo) -> datetime:
    """Return a time in UTC; one without a zone is of this zone."""
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)).astimezone(UTC)


def _texts(tags: Mapping[str, str]) -> Iterator[str]:
    """Yield what may be a time, the most trustworthy first."""
    for name in _WITH_ZONE:
        if name in tags:
            yield tags[name]
    # Broadcast wave files (EBU Tech 3285) have a day and a time of the recorder's clock. FFmpeg calls them by their
    # names or, depending on its version, by those of other tags.
    day = tags.get("origination_date", tags.get("date", ""))
    time = tags.get("origination_time", tags.get("creation_time", "")).strip()
    if re.fullmatch(r"\d\d[-:._ ]\d\d[-:._ ]\d\d", time):
        yield f"{day} {re.sub('[-._ ]', ':', time)}"
    yield day
    for name in _OTHERS:
        if name in tags:
            yield tags[name]


def _parse(text: str) -> datetime | None:
    """Read a time as tags write it: ISO 8601, also with other separators in the day, or with UTC in front."""
    text = text.strip()
    is_utc = text.upper().startswith("UTC ")  # MediaInfo and mkvmerge
    text = text[4:] if is_utc else text
    text = re.sub(r"^(\d{4})[:/._-](\d\d)[:/._-](\d\d)", r"\1-\2-\3", text)
    try:
        found = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        return None
    if re.fullmatch(r"\d{4}-\d\d-\d\d|\d{8}", text):
        return found.replace(tzinfo=UTC)
    return found.replace(tzinfo=UTC) if is_utc and found.tzinfo is None else found


def _of_match(found: Mapping[str, str | None]) -> datetime | None:
    hour = found.get("hour")
    half = (found.get("half") or "").strip()
    hours = int(hour or 0) % 12 + 12 * (half == "PM") if half else int(hour or 0)
    try:
        moment = datetime(  # noqa: DTZ001 - the zone follows, or is not known
            int(found["year"] or 0),
            int(found["month"] or 0),
            int(found["day"] or 0),
            hours,
            int(found.get("minute") or 0),
            int(found.get("second") or 0),
        )
    except ValueError:  # the 31st of June
        return None
    return moment.replace(tzinfo=UTC) if found.get("utc") or hour is None else moment


def is_believable(found: datetime, moment: datetime) -> bool:
    """Return whether a recorder may mean this time. moment: the present."""
    try:
        in_utc = found.astimezone(UTC) if found.tzinfo is not None else found.replace(tzinfo=UTC)
    except OverflowError:
        return False
    return in_utc.year >= _FIRST_YEAR and in_utc <= moment + _TOLERANCE
