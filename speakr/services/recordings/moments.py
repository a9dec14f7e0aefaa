"""When and where a recording was made: what «tomorrow» is counted from."""

from __future__ import annotations

from datetime import datetime, time
from zoneinfo import ZoneInfo

from speakr.backends import get_backends
from speakr.models import Recording, User
from speakr.services.accounts import users


def time_zone_of(user: User) -> ZoneInfo:
    """Return the zone somebody lives in, or else the server's."""
    return ZoneInfo(users.preferences(user)["time_zone"] or get_backends().settings.time_zone)


def spoken_at(recording: Recording, owner: User) -> datetime:
    """Return when a recording was made, as its owner's clock showed it.

    A meeting date at midnight UTC was given as a date alone: it stays that day wherever its owner lives.
    """
    zone = time_zone_of(owner)
    moment = recording.meeting_date or recording.created_at
    if recording.meeting_date is not None and moment.timetz().replace(tzinfo=None) == time():
        return datetime.combine(moment.date(), time(), zone)
    return moment.astimezone(zone)
