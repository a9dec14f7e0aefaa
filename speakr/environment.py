"""The environment: how a setting is declared, and how its text is read."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_type_hints
from urllib.parse import urlsplit
from zoneinfo import available_timezones


class SettingsError(ValueError):
    """A setting is missing or unreadable; the message is meant for the operator."""


def setting(
    default: Any = dataclasses.MISSING,
    *,
    env: str,
    help: str,
    section: str,
    secret: bool = False,
) -> Any:
    """Declare one setting: its environment variable, default, section and one-sentence help."""
    metadata = {"env": env, "help": help, "section": section, "secret": secret}
    if default is dataclasses.MISSING:
        return dataclasses.field(metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def per_minute(amount: int, name: str, what: str) -> Any:
    """Declare one rate limit."""
    return setting(
        amount,
        env=f"SPEAKR_RATE_LIMIT_{name}",
        section="Limits and logs",
        help=f"Requests per minute: {what}.",
    )


_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}


def parse(env: str, kind: type, raw: str) -> Any:
    """Read the text of a setting as a value of its type."""
    if kind is bool:
        if raw.lower() in _TRUE | _FALSE:
            return raw.lower() in _TRUE
        raise SettingsError(f"{env} must be yes or no, not {raw!r}")
    if kind in {int, float, Path}:
        try:
            return kind(raw)
        except ValueError:
            raise SettingsError(f"{env} must be a number, not {raw!r}") from None
    return raw


Declared = TypeVar("Declared")


def read(declared: type[Declared], source: Mapping[str, str], **more: Any) -> Declared:
    """Build a dataclass of settings from an environment; `more` is what does not come from there.

    Raises:
        SettingsError: a required setting is missing or a value cannot be read.

    """
    hints = get_type_hints(declared)
    values: dict[str, Any] = {}
    for field in declared_in(declared):
        raw = source.get(field.metadata["env"], "").strip()
        if raw:
            values[field.name] = parse(field.metadata["env"], hints[field.name], raw)
        elif field.default is dataclasses.MISSING:
            raise SettingsError(f"{field.metadata['env']} is not set. {field.metadata['help']}")
    return declared(**values, **more)


def declared_in(declared: Any) -> list[dataclasses.Field[Any]]:
    """Return the fields of a dataclass that are settings."""
    return [field for field in dataclasses.fields(declared) if "env" in field.metadata]


_ORIGIN = re.compile(r"^[a-z][a-z0-9+.-]*://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?$")


_time_zones = functools.cache(available_timezones)  # reads a folder with 600 files


def check_time_zone(env: str, name: str) -> None:
    """Raise `SettingsError` unless `name` is an IANA time zone."""
    if name not in _time_zones():
        raise SettingsError(f"{env} must be an IANA time zone, for example Europe/Berlin")


def check_origins(env: str, text: str) -> None:
    """Raise `SettingsError` for text that is not a list of origins; browsers compare an `Origin` byte by byte."""
    for origin in text.split(","):
        if origin.strip() not in {"", "*"} and not _ORIGIN.match(origin.strip()):
            raise SettingsError(
                f"{env}: {origin.strip()!r} is not an origin; write it like https://app.example.org, in lower case, without a path"
            )


def check_address(env: str, text: str, schemes: set[str]) -> None:
    """Raise `SettingsError` unless `text` is empty or `scheme://[user:password@]host[:port]`."""
    try:
        parts = urlsplit(text)
        is_fine = parts.scheme in schemes and parts.hostname and parts.path in {"", "/"} and parts.port != 0
    except ValueError:
        is_fine = False
    if text and not is_fine:  # the message omits the text, which may hold a password
        known = " or ".join(f"{scheme}://[user:password@]host:port" for scheme in sorted(schemes))
        raise SettingsError(f"{env} must look like {known}")
