"""What language engines read and say: numbered lines, statements and the lines they rest on, tokens spent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MAX_SOURCES = 20
"""Sources of one statement that are kept."""


@dataclass(frozen=True, slots=True)
class NumberedLine:
    """One segment as a language engine reads it; `start` and `end` in seconds."""

    speaker: str
    text: str
    start: float
    end: float | None = None
    origin: str = ""
    """The recording it is out of, where there are lines of several."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens a provider counted."""

    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def total(self) -> int:
        """Return what budgets count."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt_tokens + other.prompt_tokens, self.completion_tokens + other.completion_tokens
        )


@dataclass(frozen=True, slots=True)
class Source:
    """Where a statement comes from: the position of a line in the request, and words of that line as they stand there."""

    line: int
    quote: str


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement, the lines it rests on, and whether these were found to say so."""

    text: str
    sources: Sequence[Source] = ()
    is_verified: bool = False
