"""Settings that an administrator can change while the server runs.

The value is read from the table; the environment (`speakr.settings`) or this file has the default.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from speakr.backends import get_backends
from speakr.db import db
from speakr.domain.errors import Invalid
from speakr.models import SystemSetting

BIGGEST = 2_147_483_647


@dataclass(frozen=True, slots=True)
class Read:
    """The values that a setting accepts, as JSON Schema and as a check."""

    shape: Mapping[str, Any]
    check: Callable[[Any], Any]
    """Returns a JSON value in stored form, or raises ValueError with the reason."""


def _boolean() -> Read:
    def read(value: Any) -> bool:
        if not isinstance(value, bool):
            raise ValueError("must be true or false")  # noqa: TRY004 - one type for all invalid values
        return value

    return Read({"type": "boolean"}, read)


def _integer(least: int, most: int, *, or_none: bool = False) -> Read:
    def read(value: Any) -> int | None:
        if value is None and or_none:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueError(
                f"must be a whole number from {least} to {most}" + (", or null" if or_none else "")
            )
        return value

    shape = {"type": "integer", "minimum": least, "maximum": most}
    return Read({**shape, "x-nullable": or_none}, read)


def _text(longest: int) -> Read:
    def read(value: Any) -> str:
        if not isinstance(value, str) or len(value) > longest or "\x00" in value:
            raise ValueError(f"must be text of at most {longest} characters")
        return value

    return Read({"type": "string", "maxLength": longest, "pattern": r"^[^\x00]*$"}, read)


def _one_of(*words: str) -> Read:
    def read(value: Any) -> str:
        if value not in words:
            raise ValueError(f"must be one of {', '.join(words)}")
        return str(value)

    return Read({"type": "string", "enum": list(words)}, read)


def _price(most: int) -> Read:
    def read(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
            raise ValueError(f"must be a number from 0 to {most}")
        return float(value)

    return Read({"type": "number", "minimum": 0, "maximum": most}, read)


@dataclass(frozen=True, slots=True)
class SettingDefinition:
    """One setting: its default (from the environment if it has a variable there), its check and its description."""

    default: Callable[[], Any]
    read: Read
    help: str


def _fixed(value: Any) -> Callable[[], Any]:
    return lambda: value


def _env(name: str) -> Callable[[], Any]:
    return lambda: getattr(get_backends().settings, name)


KNOWN: Mapping[str, SettingDefinition] = {
    "enable_folders": SettingDefinition(_env("enable_folders"), _boolean(), "Whether folders are enabled."),
    "enable_internal_sharing": SettingDefinition(
        _fixed(value=True), _boolean(), "Sharing of recordings between users, by name and through groups."
    ),
    "enable_auto_summarization": SettingDefinition(
        _fixed(value=True), _boolean(), "Summaries after transcription, for users who have enabled them."
    ),
    "users_can_delete": SettingDefinition(
        _env("users_can_delete"), _boolean(), "Whether users who are not admins may delete recordings."
    ),
    "enable_auto_deletion": SettingDefinition(
        _fixed(value=False), _boolean(), "Retention: deletion of old recordings."
    ),
    "retention_days": SettingDefinition(
        _fixed(None),
        _integer(1, 36_500, or_none=True),
        "Days until a recording without a rule of its tags or folder is due for deletion; null for never.",
    ),
    "deletion_mode": SettingDefinition(
        _fixed("full_recording"),
        _one_of("audio_only", "full_recording"),
        "What retention deletes: audio_only keeps the texts.",
    ),
    "max_file_size_mb": SettingDefinition(
        _env("max_file_size_mb"), _integer(1, 1_000_000), "Largest upload."
    ),
    "max_audio_only_video_size_mb": SettingDefinition(
        _env("max_audio_only_video_size_mb"),
        _integer(1, 1_000_000),
        "Largest video of which only the audio is kept.",
    ),
    "transcription_models": SettingDefinition(
        _env("transcription_models"),
        _text(2_000),
        "Models that users may request: value or value:label, separated by commas.",
    ),
    "transcription_model": SettingDefinition(
        _env("transcription_model"), _text(120), "The model for requests that name none."
    ),
    "summary_prompt": SettingDefinition(
        _fixed(""),
        _text(20_000),
        "Instructions for summaries of users who have none of their own; empty for the built-in ones.",
    ),
    "transcript_length_limit": SettingDefinition(
        _fixed(-1),
        _integer(-1, 100_000_000),
        "Maximum characters of a transcript that are sent to a language model; -1 for all.",
    ),
    "default_token_budget": SettingDefinition(
        _fixed(None),
        _integer(0, BIGGEST, or_none=True),
        "Language model tokens per user and month; null: no limit.",
    ),
    "default_transcription_budget_minutes": SettingDefinition(
        _fixed(None),
        _integer(0, 10_000_000, or_none=True),
        "Minutes of audio per user and month; null: no limit.",
    ),
    "default_storage_quota_mb": SettingDefinition(
        _fixed(None),
        _integer(0, 1_000_000_000, or_none=True),
        "Megabytes of stored audio per user; null: no limit.",
    ),
    "cost_per_transcribed_minute": SettingDefinition(
        _fixed(0),
        _price(1_000_000),
        "Price per minute of audio, for `estimated_cost` in the statistics.",
    ),
    "webhook_max_per_user": SettingDefinition(
        _env("webhook_max_per_user"), _integer(0, 10_000), "Webhooks per user."
    ),
}
"""All settings by name."""


def get(name: str) -> Any:
    """Return a setting's value or its default."""
    row = db.session.get(SystemSetting, name)
    return KNOWN[name].default() if row is None else row.value["value"]


def get_several(*names: str) -> dict[str, Any]:
    """Return the values or defaults of several settings, in one query."""
    rows = db.session.scalars(select(SystemSetting).where(SystemSetting.name.in_(names)))
    stored = {row.name: row.value["value"] for row in rows}
    return {name: stored[name] if name in stored else KNOWN[name].default() for name in names}


def everything() -> dict[str, dict[str, Any]]:
    """Return all settings by name: {value, default, help}."""
    stored = {row.name: row.value["value"] for row in db.session.scalars(select(SystemSetting))}
    return {
        name: {"value": stored.get(name, default), "default": default, "help": known.help}
        for name, known in KNOWN.items()
        for default in [known.default()]
    }


def put(name: str, value: Any) -> None:
    """Change a setting. Raises `Invalid` for an unknown name or an invalid value."""
    known = KNOWN.get(name)
    if known is None:
        raise Invalid(f"There is no setting named {name}.", errors={name[:100]: ["unknown setting"]})
    try:
        kept = known.read.check(value)
    except ValueError as error:
        raise Invalid(f"{name} {error}.", errors={name: [str(error)]}) from None
    dialect: Any = sqlite if db.engine.dialect.name == "sqlite" else postgresql
    insert = dialect.insert(SystemSetting).values(name=name, value={"value": kept})
    db.session.execute(
        insert.on_conflict_do_update(
            index_elements=[SystemSetting.name], set_={"value": insert.excluded.value}
        )
    )
    db.session.get(SystemSetting, name, populate_existing=True)  # replaces the cached row


def put_all(changes: Mapping[str, Any]) -> None:
    """Change several settings, or none: `Invalid` names all invalid ones."""
    errors: dict[str, list[str]] = {}
    for name in sorted(changes):
        try:
            put(name, changes[name])
        except Invalid as error:
            errors |= error.errors
    if errors:
        wrong = "; ".join(f"{name} {' '.join(texts)}" for name, texts in errors.items())
        raise Invalid(f"{wrong}."[:500], errors=errors)


def reset(name: str) -> None:
    """Reset a setting to its default."""
    if name not in KNOWN:
        raise Invalid(f"There is no setting named {name}.", errors={name[:100]: ["unknown setting"]})
    db.session.execute(delete(SystemSetting).where(SystemSetting.name == name))
