"""What a transcript holds besides its text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from speakr.domain.statements import Source, Statement, Usage

MAX_PER_LIST = 1_000
"""Key points, action items, chapters, topics, and attendees of an event that are kept of one answer of an engine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionItem:
    """A task of a person. `due` is the spoken date, `due_at` the resolved time if it is clear."""

    claim: Statement
    owner: str | None = None
    due: str | None = None
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Chapter:
    """A stretch of the recording about one subject; `line` is the position of its first line."""

    title: str
    line: int


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic, and its sources."""

    name: str
    sources: Sequence[Source]
    is_verified: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class DatedEvent:
    """A spoken appointment. Without a time of day it begins at midnight and `has_time` is False."""

    claim: Statement
    start: datetime
    end: datetime | None = None
    has_time: bool = True
    location: str | None = None
    attendees: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Insights:
    """What a transcript holds besides its text; `lines_read` as with summaries."""

    engine: str
    is_extractive: bool
    lines_read: int
    key_points: Sequence[Statement] = ()
    action_items: Sequence[ActionItem] = ()
    chapters: Sequence[Chapter] = ()
    topics: Sequence[Topic] = ()
    events: Sequence[DatedEvent] = ()
    usage: Usage = field(default_factory=Usage)
