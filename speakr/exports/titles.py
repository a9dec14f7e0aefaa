"""Titles from naming templates: one line, however long the template's values are."""

from __future__ import annotations

from collections.abc import Mapping

from speakr.exports.placeholders import Value, fill

MAX_TITLE_LENGTH = 200


def render(template: str, values: Mapping[str, Value]) -> str:
    """Return the title without invisible characters; it may be empty."""
    filled = fill(template, values)
    shown = "".join(char if char.isprintable() else " " for char in filled)
    return " ".join(shown.split())[:MAX_TITLE_LENGTH].rstrip()
