"""Shapes of people and of their numbers."""

from __future__ import annotations

from marshmallow import fields

from speakr.api.schemas.fields import UtcDateTime, Wire


class PreferencesOut(Wire):
    """What a person prefers."""

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


class MembershipOut(Wire):
    """A person's place in a group."""

    group_id = fields.Integer(required=True)
    group_name = fields.String(required=True)
    role = fields.String(required=True)
    joined_at = UtcDateTime(required=True)


class UserOut(Wire):
    """Whoever asks."""

    id = fields.Integer(required=True)
    username = fields.String(required=True)
    email = fields.String(required=True, allow_none=True)
    name = fields.String(required=True, allow_none=True)
    job_title = fields.String(required=True, allow_none=True)
    company = fields.String(required=True, allow_none=True)
    is_admin = fields.Boolean(required=True)
    email_verified = fields.Boolean(required=True)
    sso_provider = fields.String(required=True, allow_none=True)
    can_share_publicly = fields.Boolean(required=True)
    preferences = fields.Nested(PreferencesOut, required=True)
    group_memberships = fields.List(fields.Nested(MembershipOut), required=True)


class StatsQuery(Wire):
    """Whose numbers."""

    scope = fields.String(load_default="user", metadata={"description": "user, or all (admins)"})


def _counts(name: str, *keys: str) -> fields.Nested:
    shape = Wire.from_dict({key: fields.Integer(required=True) for key in keys}, name=name)
    return fields.Nested(shape, required=True)


class StatsOut(Wire):
    """Numbers for dashboards; percentages are never null."""

    recordings = _counts("RecordingCountsOut", "total", "completed", "processing", "pending", "failed")
    storage = fields.Nested(
        Wire.from_dict(
            {"used_bytes": fields.Integer(required=True), "used_human": fields.String(required=True)},
            name="StorageStatsOut",
        ),
        required=True,
    )
    queue = _counts("QueueStatsOut", "jobs_queued", "jobs_processing")
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
