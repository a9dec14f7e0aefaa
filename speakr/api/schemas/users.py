"""Schemas of users and their figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from zoneinfo import available_timezones

from marshmallow import ValidationError, fields, post_dump, post_load, pre_load, validate

from speakr.api.schemas.fields import (
    BLANKS,
    NOT_BLANK,
    REQUIRED,
    SPACES,
    Language,
    Pattern,
    StrictBoolean,
    Text,
    bounded,
    text,
)
from speakr.domain.caps import CAPS, Noun
from speakr.services.accounts.users import AUDIO_QUALITIES, MAX_FOUND, PREFERRED_LANGUAGES
from speakr.web import families
from speakr.web.wire import UtcDateTime, Wire

MAX_PROMPT_LENGTH = 20_000
ACCOUNT_WEBHOOKS = "account_webhooks"
MAX_URL_LENGTH = 500
MIN_PASSWORD_LENGTH = 8
MAX_PASSWORD_LENGTH = 1_000
"""Bounds the time that a client can make hashing take."""
LONG_ENOUGH = {"minLength": MIN_PASSWORD_LENGTH, "pattern": rf"(\x00*[^\x00]){{{MIN_PASSWORD_LENGTH}}}"}
"""Metadata of a new password; characters that cannot be stored do not count."""

_SIDE = rf"[^@{SPACES}]*[^@{BLANKS}][^@{SPACES}]*"
EMAIL = {"pattern": rf"^[{BLANKS}]*({_SIDE}@{_SIDE}[{BLANKS}]*)?$", "example": "jane@example.com"}
"""Metadata of an e-mail address, which may be empty for none."""

_LANGUAGE = Pattern(
    r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})?$", error="must be a language code such as en or pt-BR"
)
_NO_LANGUAGE = {"pattern": r"^([A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})?)?$"}
"""Metadata of a field in which an empty text means none."""
_TIME_ZONES = [
    "UTC",
    *sorted(name for name in available_timezones() if "/" in name and not name.startswith("Etc/")),
]
"""Names by place. Those of Etc are left out: they differ by a sign only, which readers and generated clients misread."""


class PreferencesOut(Wire):
    """The preferences of a user."""

    ui_language = fields.String(required=True)
    transcription_language = fields.String(required=True, allow_none=True)
    output_language = fields.String(required=True, allow_none=True)
    extract_events = fields.Boolean(required=True)
    auto_speaker_labelling = fields.Boolean(required=True)
    auto_speaker_labelling_threshold = fields.Float(required=True)
    auto_summarization = fields.Boolean(required=True)
    show_timestamps_simple_view = fields.Boolean(required=True)
    editor_autosave = fields.Boolean(required=True)
    diarize = fields.Boolean(required=True)
    learn_voices = fields.Boolean(required=True)
    refresh_after_corrections = fields.Boolean(required=True)
    summary_prompt = fields.String(required=True, allow_none=True)
    time_zone = fields.String(required=True, allow_none=True)
    preferred_language = fields.String(required=True)
    audio_quality = fields.String(required=True)

    @post_dump(pass_original=True)
    def with_account_webhooks(self, data: dict[str, Any], original: Any, **_: object) -> dict[str, Any]:
        """Add the addresses of account webhooks, whose names API families choose."""
        return data | {name: original[name] for name in families.account_webhooks() if name in original}


class Threshold(fields.Raw):
    """A number from 0 to 1, or one of the words for one."""

    WORDS: ClassVar[Mapping[str, float]] = {"low": 0.65, "medium": 0.75, "high": 0.85}

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> Any:
        del attr, data, kwargs
        if isinstance(value, str) and value.lower() in self.WORDS:
            return self.WORDS[value.lower()]
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise ValidationError("must be a number from 0 to 1, or low, medium or high")
        return float(value)


class PreferencesIn(Wire):
    """Preferences to change; all optional, unknown ones ignored."""

    ui_language = Text(validate=_LANGUAGE)
    transcription_language = Language(detection=None, keeps_region=True)
    output_language = Text(allow_none=True, validate=_LANGUAGE, metadata=_NO_LANGUAGE)
    extract_events = StrictBoolean()
    refresh_after_corrections = StrictBoolean()
    auto_speaker_labelling = StrictBoolean()
    auto_speaker_labelling_threshold = Threshold(
        metadata={
            "anyOf": [
                {"type": "number", "minimum": 0, "maximum": 1},
                {"type": "string", "pattern": "^([Ll][Oo][Ww]|[Mm][Ee][Dd][Ii][Uu][Mm]|[Hh][Ii][Gg][Hh])$"},
            ],
            "example": 0.75,
            "description": "0 to 1, or low (0.65), medium (0.75) or high (0.85).",
        }
    )
    auto_summarization = StrictBoolean()
    show_timestamps_simple_view = StrictBoolean()
    editor_autosave = StrictBoolean()
    diarize = StrictBoolean()
    learn_voices = StrictBoolean(
        metadata={"description": "Off: no voice data is stored, and what was stored is deleted."}
    )
    summary_prompt = text(MAX_PROMPT_LENGTH, allow_none=True)
    time_zone = Text(
        allow_none=True,
        validate=validate.OneOf(_TIME_ZONES, error="must be an IANA time zone such as Europe/Berlin"),
        metadata={
            "description": "Time zone of relative dates such as «tomorrow»; null is the server's.",
            "example": "UTC",
        },
    )

    preferred_language = Text(
        validate=validate.OneOf(PREFERRED_LANGUAGES),
        metadata={
            "description": "Language that clients show and record in; it does not choose the engine's."
        },
    )
    audio_quality = Text(
        validate=validate.OneOf(AUDIO_QUALITIES),
        metadata={"description": "How clients record: 8, 16 or 44.1 kHz."},
    )

    @pre_load
    def empty_is_none(self, data: object, **_: object) -> object:
        """Treat an empty text as no language or no prompt."""
        if isinstance(data, dict):
            optional = ("transcription_language", "output_language", "summary_prompt", "time_zone")
            data = {**data, **{name: None for name in optional if data.get(name) == ""}}
        return data

    @post_load(pass_original=True)
    def with_account_webhooks(self, data: dict[str, Any], original: Any, **_: object) -> dict[str, Any]:
        """Put the addresses of account webhooks, whose names API families choose, under `ACCOUNT_WEBHOOKS`."""
        sent = {name: original[name] for name in families.account_webhooks() if name in original}
        wrong = [name for name, url in sent.items() if not _is_address_or_none(url)]
        if wrong:
            raise ValidationError(
                {name: [f"must be a URL of at most {MAX_URL_LENGTH} characters"] for name in wrong}
            )
        return data | {ACCOUNT_WEBHOOKS: sent} if sent else data


def _is_address_or_none(value: object) -> bool:
    return value is None or (isinstance(value, str) and len(value) <= MAX_URL_LENGTH)


class UserUpdateIn(Wire):
    """Fields that users may change of their own account; all optional."""

    name = text(120, allow_none=True)
    first_name = text(150, allow_none=True)
    last_name = text(150, allow_none=True)
    job_title = text(120, allow_none=True)
    company = text(120, allow_none=True)
    email = text(254, allow_none=True, metadata=EMAIL)
    preferences = fields.Nested(PreferencesIn)
    password = text(
        MAX_PASSWORD_LENGTH,
        metadata={"description": "A new one; needs current_password.", **LONG_ENOUGH},
    )
    current_password = text(MAX_PASSWORD_LENGTH)


class VerificationOut(Wire):
    """An e-mail with a code that is being sent."""

    email = fields.String(required=True)
    expires_at = UtcDateTime(required=True)


class VerifyEmailIn(Wire):
    """The code in that e-mail."""

    code = text(100, required=True, metadata=NOT_BLANK)


class VoicesDeletedOut(Wire):
    """The deleted voice data."""

    success = StrictBoolean(required=True)
    deleted = fields.Integer(
        required=True, metadata={"description": "Voices, one for each speaker of a recording."}
    )


class UserQuery(Wire):
    """Which users to find."""

    query = text(
        120,
        load_default="",
        metadata={
            **REQUIRED,
            "description": "Part of a name, at least 2 characters.",
            "pattern": rf"[^{BLANKS}][\s\S]*[^{BLANKS}]",
        },
    )


class UserFoundOut(Wire):
    """A user to share with."""

    id = fields.Integer(required=True)
    username = fields.String(required=True)
    name = fields.String(required=True, allow_none=True)


class UsersFoundOut(Wire):
    """Users, by name."""

    users = bounded(UserFoundOut, MAX_FOUND)


class AutoSummarizationIn(Wire):
    """On or off."""

    enabled = StrictBoolean(metadata=REQUIRED)


class AutoSummarizationOut(Wire):
    """The present value."""

    success = fields.Boolean(required=True)
    auto_summarization = fields.Boolean(required=True)


class MembershipOut(Wire):
    """A membership of a user in a group."""

    group_id = fields.Integer(required=True)
    group_name = fields.String(required=True)
    role = fields.String(required=True)
    joined_at = UtcDateTime(required=True)


class UserOut(Wire):
    """The caller."""

    id = fields.Integer(required=True)
    username = fields.String(required=True)
    email = fields.String(required=True, allow_none=True)
    name = fields.String(required=True, allow_none=True)
    first_name = fields.String(required=True, allow_none=True)
    last_name = fields.String(required=True, allow_none=True)
    job_title = fields.String(required=True, allow_none=True)
    company = fields.String(required=True, allow_none=True)
    is_admin = fields.Boolean(required=True)
    email_verified = fields.Boolean(required=True)
    sso_provider = fields.String(required=True, allow_none=True)
    can_share_publicly = fields.Boolean(required=True)
    preferences = fields.Nested(PreferencesOut, required=True)
    group_memberships = bounded(MembershipOut, CAPS[Noun.MEMBERSHIPS])


class StatsQuery(Wire):
    """Whose figures."""

    scope = fields.String(
        load_default="user", metadata={"description": "user, or all (admins)", "enum": ["user", "all"]}
    )


def _counts(name: str, *keys: str) -> fields.Nested:
    shape = Wire.from_dict({key: fields.Integer(required=True) for key in keys}, name=name)
    return fields.Nested(shape, required=True)


class StatsOut(Wire):
    """Figures for dashboards; percentages are never null."""

    recordings = _counts("RecordingCountsOut", "total", "completed", "processing", "pending", "failed")
    storage = fields.Nested(
        Wire.from_dict(
            {"used_bytes": fields.Integer(required=True), "used_human": fields.String(required=True)},
            name="StorageStatsOut",
        ),
        required=True,
    )
    queue = _counts("QueueStatsOut", "jobs_queued", "jobs_processing", "oldest_waiting_seconds")
    tokens = fields.Nested(
        Wire.from_dict(
            {
                "used_this_month": fields.Integer(required=True),
                "budget": fields.Integer(required=True, allow_none=True),
                "percentage": fields.Float(required=True),
            },
            name="TokenStatsOut",
        ),
        required=True,
    )
    transcription = fields.Nested(
        Wire.from_dict(
            {
                "used_this_month_seconds": fields.Integer(required=True),
                "used_this_month_minutes": fields.Integer(required=True),
                "budget_seconds": fields.Integer(required=True, allow_none=True),
                "budget_minutes": fields.Integer(required=True, allow_none=True),
                "percentage": fields.Float(required=True),
                "estimated_cost": fields.Float(required=True),
            },
            name="TranscriptionStatsOut",
        ),
        required=True,
    )
    activity = fields.Nested(
        Wire.from_dict(
            {
                "recordings_today": fields.Integer(required=True),
                "last_transcription": fields.String(required=True, allow_none=True),
                "last_transcription_human": fields.String(required=True),
            },
            name="ActivityStatsOut",
        ),
        required=True,
    )
    users = fields.Nested(
        Wire.from_dict(
            {"total": fields.Integer(required=True), "active": fields.Integer(required=True)},
            name="UserStatsOut",
        ),
        metadata={"description": "With scope=all only."},
    )
