"""When and in which time zone a recording was made, for dates such as "tomorrow"."""

from __future__ import annotations

from datetime import datetime, time
from zoneinfo import ZoneInfo

from speakr.backends import get_backends
from speakr.models import Recording, User
from speakr.services.accounts import users


def time_zone_of(user: User) -> ZoneInfo:
    """Return a user's time zone, or else the server's."""
    return ZoneInfo(users.preferences(user)["time_zone"] or get_backends().settings.time_zone)


def spoken_at(recording: Recording, owner: User) -> datetime:
    """Return when a recording was made, in its owner's time zone.

    A meeting date at midnight UTC was sent as a date without a time; it keeps that date in every time zone.
    """
    zone = time_zone_of(owner)
    moment = recording.meeting_date or recording.created_at
    if recording.meeting_date is not None and moment.timetz().replace(tzinfo=None) == time():
        return datetime.combine(moment.date(), time(), zone)
    return moment.astimezone(zone)
