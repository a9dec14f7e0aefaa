"""What a language engine must offer: summaries and titles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Line:
    """One segment as a language engine reads it; `start` in seconds."""

    speaker: str
    text: str
    start: float


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens a provider counted."""

    prompt_tokens: int = 0
    completion_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt_tokens + other.prompt_tokens, self.completion_tokens + other.completion_tokens
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryRequest:
    """A whole transcript and how to summarise it. `language` is the ISO 639-1 code to write in, if asked for."""

    lines: Sequence[Line]
    instructions: str | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Markdown, and an honest account of how it came about."""

    markdown: str
    engine: str
    is_extractive: bool
    lines_read: int
    """How many of the request's lines the engine has really seen; equal to their number, or it says so."""
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, slots=True, kw_only=True)
class Title:
    """A short title, one line, at most 120 characters; empty when nothing sensible can be said."""

    text: str
    usage: Usage = field(default_factory=Usage)


class LanguageConnector(Protocol):
    """One language engine.

    Both methods raise `ConnectorRejected` when asking again cannot help and `ConnectorUnavailable` when it may.
    """

    name: str
    is_extractive: bool

    def summarize(self, request: SummaryRequest) -> Summary:
        """Summarise the whole transcript, in parts when it is longer than one request may be."""
        ...

    def write_title(self, request: SummaryRequest) -> Title:
        """Write a title."""
        ...
