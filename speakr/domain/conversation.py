"""A conversation about a recording, as a list of turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from speakr.domain.statements import Source, Usage


class Role(StrEnum):
    """Author of a turn."""

    USER = "user"
    ASSISTANT = "assistant"


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One turn of a conversation."""

    role: Role
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatAnswer:
    """Markdown, in which `[1]` stands for the first of the sources and so on."""

    text: str
    sources: Sequence[Source]
    engine: str
    usage: Usage = field(default_factory=Usage)
    lines_read: int = 0
    unverified: Sequence[str] = ()
    """Statements of the answer that its sources were not found to bear out."""
