"""Summaries and titles, as engines write them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from speakr.domain.statements import Statement, Usage

MAX_LINES = 10_000
"""Lines of a summary whose evidence is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Markdown, and an honest account of how it came about."""

    markdown: str
    engine: str
    is_extractive: bool
    lines_read: int
    """How many of the request's lines the engine has really seen; equal to their number, or it says so."""
    usage: Usage = field(default_factory=Usage)
    evidence: Mapping[int, Statement] = field(default_factory=dict)
    """For each line of the Markdown (from 0) that states something: what it rests on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Title:
    """A short title, one line, at most 120 characters; empty when nothing sensible can be said."""

    text: str
    usage: Usage = field(default_factory=Usage)
