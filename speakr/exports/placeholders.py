"""Fill the placeholders of templates that users write: of titles and of whole documents.

`{{name}}` stands for a value, `{{name|upper}}` and `{{name|lower}}` for it in that case, `{{date|%d.%m.%Y}}` for a time
in that format. Nothing is executed: unknown placeholders and filters stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime

Value = str | datetime

PLACEHOLDER = re.compile(r"\{\{[ \t]*(\w+)[ \t]*(?:\|([^{}|\r\n]{1,60}))?\}\}", re.ASCII)

_CASES: Mapping[str, Callable[[str], str]] = {"upper": str.upper, "lower": str.lower}
_DIRECTIVES = frozenset("YymdBbAaHIMSpjVGu%")
"""Directives of strftime that every platform knows and whose results are short."""
_MAX_TIME_LENGTH = 60 * 12
"""Characters of a time: a filter of 60 characters, each directive of which writes at most a long month's name."""

_DIRECTIVE = re.compile(r"%(.?)", re.DOTALL)

DATE_FORMATS: Mapping[str, str] = {"date": "%Y-%m-%d", "time": "%H:%M"}
"""Name of a time -> its format without a filter."""


def fill(template: str, values: Mapping[str, Value]) -> str:
    """Return a template with its known placeholders filled."""

    def put(match: re.Match[str]) -> str:
        text = _written(values, match[1], (match[2] or "").strip())
        return match[0] if text is None else text

    return PLACEHOLDER.sub(put, template)


def length_of(template: str, values: Mapping[str, Value]) -> int:
    """Return how many characters `fill` would write at most, without writing them."""
    texts = (values.get(name) for name in names_in(template))
    return len(template) + sum(len(text) if isinstance(text, str) else _MAX_TIME_LENGTH for text in texts)


def names_in(template: str) -> list[str]:
    """Return the names of a template's placeholders, known or not, in order."""
    return [match[1] for match in PLACEHOLDER.finditer(template)]


def _written(values: Mapping[str, Value], name: str, modifier: str) -> str | None:
    value = values.get(name)
    if value is None:
        return None
    if isinstance(value, datetime):
        layout = modifier or DATE_FORMATS.get(name, "%Y-%m-%d %H:%M")
        return value.strftime(layout) if _is_harmless(layout) else None
    if not modifier:
        return value
    case = _CASES.get(modifier)
    return None if case is None else case(value)


def _is_harmless(layout: str) -> bool:
    asked = _DIRECTIVE.findall(layout)
    return bool(asked) and layout.isprintable() and all(letter in _DIRECTIVES for letter in asked)
