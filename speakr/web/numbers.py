"""Numbers and ids in query strings and forms, where all values are text."""

from __future__ import annotations

from collections.abc import Iterable

from speakr.domain.errors import Invalid

_MAX_DIGITS = 9


def whole_number(text: str) -> int:
    """Return a number of up to nine digits, or 0 if the text is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS else 0


def parts_of(texts: Iterable[str]) -> list[str]:
    """Return the parts of values that may be repeated and may be comma-separated, without empty ones."""
    return [part.strip() for each in texts for part in each.split(",") if part.strip()]


def tag_ids_in(texts: Iterable[str], *, field: str) -> list[int]:
    """Return the ids of tags in a form. Raises `Invalid`, which names the field, if one is no id."""
    numbers = [whole_number(part) for part in parts_of(texts)]
    if not all(numbers):
        raise Invalid("Tags are named by their ids.", errors={field: ["must be ids"]})
    return numbers
