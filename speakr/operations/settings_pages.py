"""The settings as text: an example environment file, a table for the docs, and the values in use."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from itertools import groupby
from typing import Any, get_type_hints
from urllib.parse import urlsplit, urlunsplit

from speakr.connectors.transcription import own_settings
from speakr.environment import declared_in
from speakr.settings import Settings
from speakr.speech_settings import engines_in_words

MASK = "********"

_ENV_HEAD = """\
# Settings of Speakr, with their defaults. Made by: speakr settings --env-example
# Docker Compose reads this file if its name is .env and it is beside docker-compose.yml. There it also needs
# POSTGRES_PASSWORD and REDIS_PASSWORD, and sets DATABASE_URL, REDIS_URL, SPEAKR_DATA and SPEAKR_SCRATCH by itself.
"""
_MARKDOWN_HEAD = """\
# Settings

Every setting is an environment variable. `speakr settings --markdown` generates this page from the fields that the server reads.
`config/env.example` is the same list as a file to fill in. `speakr settings` prints the values that a server uses, secrets masked.
"""


@dataclasses.dataclass(frozen=True, slots=True)
class _Setting:
    """One setting and the dataclass that declares it."""

    declared: type
    field: dataclasses.Field[Any]

    @property
    def env(self) -> str:
        return str(self.field.metadata["env"])

    @property
    def section(self) -> str:
        return str(self.field.metadata["section"])

    @property
    def help(self) -> str:
        """Its sentence; `{engines}` in it stands for the names of all speech engines."""
        return str(self.field.metadata["help"]).replace("{engines}", engines_in_words())

    @property
    def is_secret(self) -> bool:
        return bool(self.field.metadata["secret"])

    @property
    def is_required(self) -> bool:
        return self.field.default is dataclasses.MISSING


def _sections() -> Iterator[tuple[str, list[_Setting]]]:
    """Return all settings by section: ours, those of speech engines, and what each engine declares itself."""
    settings = [_Setting(Settings, field) for field in declared_in(Settings)]
    settings += [_Setting(declared, field) for declared in own_settings() for field in declared_in(declared)]
    for section, found in groupby(settings, lambda each: each.section):
        yield section, list(found)


def variables() -> dict[str, bool]:
    """Return every environment variable that is a setting, and whether its value is a secret."""
    return {each.env: each.is_secret for _, settings in _sections() for each in settings}


def _written(value: Any) -> str:
    """Return a value as text for the environment."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def env_example() -> str:
    """Return an environment file with all settings, their help and defaults; required values are empty."""
    lines = [_ENV_HEAD]
    for section, settings in _sections():
        lines.append(f"\n# --- {section}\n")
        for each in settings:
            lines.append(f"# {each.help}")
            default = each.field.default
            lines.append(f"{each.env}=\n" if each.is_required else f"# {each.env}={_written(default)}\n")
    return "\n".join(lines).rstrip() + "\n"


def markdown() -> str:
    """Return the settings page of the docs."""
    kinds = {bool: "yes or no", int: "whole number", float: "number"}
    lines = [_MARKDOWN_HEAD]
    for section, settings in _sections():
        lines += [f"## {section}", "", "| variable | kind | default | meaning |", "| --- | --- | --- | --- |"]
        for each in settings:
            hint = get_type_hints(each.declared)[each.field.name]
            kind = "secret" if each.is_secret else kinds.get(hint, "text")
            if each.is_required:
                default = "**required**"
            else:
                default = f"`{_written(each.field.default)}`" if _written(each.field.default) else "empty"
            lines.append(f"| `{each.env}` | {kind} | {default} | {each.help} |")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def as_seen(settings: Settings) -> str:
    """Return every setting with its value in use; secrets and passwords inside URLs are masked."""
    lines = []
    for section, found in _sections():
        lines.append(f"# {section}")
        for each in found:
            holder = settings if each.declared is Settings else settings.engine_settings(each.declared)
            value = _written(getattr(holder, each.field.name))
            if each.is_secret:
                value = MASK if value else ""
            lines.append(f"{each.env}={without_password(value)}")
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
