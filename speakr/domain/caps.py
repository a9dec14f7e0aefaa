"""How many of each thing a user, a group, a recording or the server may have."""

from __future__ import annotations

from enum import StrEnum


class Noun(StrEnum):
    """A thing whose number is limited; the value stands in error messages and in the documentation."""

    TAGS = "tags"
    FOLDERS = "folders"
    SPEAKERS = "speakers"
    GROUPS = "groups"
    MEMBERS = "members of a group"
    MEMBERSHIPS = "groups of a user"
    SHARES = "shares of a recording"
    RECORDING_TAGS = "tags of a recording"
    RECORDING_SPEAKERS = "speakers of a recording"
    CALENDAR_EVENTS = "dated events of a recording"
    TEMPLATES = "templates"
    TOKENS = "valid tokens"
    SESSIONS = "sessions"


CAPS: dict[Noun, int] = {
    Noun.TAGS: 10_000,
    Noun.FOLDERS: 10_000,
    Noun.SPEAKERS: 10_000,
    Noun.GROUPS: 10_000,
    Noun.MEMBERS: 10_000,
    Noun.MEMBERSHIPS: 1_000,
    Noun.SHARES: 1_000,
    Noun.RECORDING_TAGS: 100,
    Noun.RECORDING_SPEAKERS: 1_000,
    Noun.CALENDAR_EVENTS: 1_000,
    Noun.TEMPLATES: 100,
    Noun.TOKENS: 100,
    Noun.SESSIONS: 100,
}
"""Tags and folders count per owner, which is a user or a group; groups count on the whole server."""
