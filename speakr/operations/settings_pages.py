"""The settings as text: an example environment file, a table for the docs, and the values in use."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from itertools import groupby
from typing import Any, get_type_hints
from urllib.parse import urlsplit, urlunsplit

from speakr.settings import Settings

MASK = "********"

_ENV_HEAD = """\
# Settings of Speakr, with their defaults. Made by: speakr settings --env-example
# Docker Compose reads this file if its name is .env and it is beside docker-compose.yml.
"""
_MARKDOWN_HEAD = """\
# Settings

Every setting is an environment variable. `speakr settings --markdown` generates this page from the fields that the server reads.
`config/env.example` is the same list as a file to fill in. `speakr settings` prints the values that a server uses, secrets masked.
"""


def _sections() -> Iterator[tuple[str, list[dataclasses.Field[Any]]]]:
    def section_of(field: dataclasses.Field[Any]) -> str:
        return str(field.metadata["section"])

    own = [field for field in dataclasses.fields(Settings) if field.name in Settings.__annotations__]
    inherited = [field for field in dataclasses.fields(Settings) if field not in own]
    for section, fields in groupby([*own, *inherited], section_of):
        yield section, list(fields)


def _written(value: Any) -> str:
    """Return a value as text for the environment."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def env_example() -> str:
    """Return an environment file with all settings, their help and defaults; required values are empty."""
    lines = [_ENV_HEAD]
    for section, fields in _sections():
        lines.append(f"\n# --- {section}\n")
        for field in fields:
            lines.append(f"# {field.metadata['help']}")
            is_required = field.default is dataclasses.MISSING
            name = field.metadata["env"]
            lines.append(f"{name}=\n" if is_required else f"# {name}={_written(field.default)}\n")
    return "\n".join(lines).rstrip() + "\n"


def markdown() -> str:
    """Return the settings page of the docs."""
    kinds = {bool: "yes or no", int: "whole number", float: "number"}
    hints = get_type_hints(Settings)
    lines = [_MARKDOWN_HEAD]
    for section, fields in _sections():
        lines += [f"## {section}", "", "| variable | kind | default | meaning |", "| --- | --- | --- | --- |"]
        for field in fields:
            kind = "secret" if field.metadata["secret"] else kinds.get(hints[field.name], "text")
            if field.default is dataclasses.MISSING:
                default = "**required**"
            else:
                default = f"`{_written(field.default)}`" if _written(field.default) else "empty"
            lines.append(f"| `{field.metadata['env']}` | {kind} | {default} | {field.metadata['help']} |")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def as_seen(settings: Settings) -> str:
    """Return every setting with its value in use; secrets and passwords inside URLs are masked."""
    lines = []
    for section, fields in _sections():
        lines.append(f"# {section}")
        for field in fields:
            value = _written(getattr(settings, field.name))
            if field.metadata["secret"]:
                value = MASK if value else ""
            lines.append(f"{field.metadata['env']}={without_password(value)}")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def without_password(url: str) -> str:
    """Mask the password in a URL, if there is one."""
    if "@" not in url:
        return url
    try:
        parts = urlsplit(url)
        if parts.password is None:
            return url
    except ValueError:
        return MASK  # unreadable, so it may hold a password anywhere
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}:{MASK}@{host}"))
