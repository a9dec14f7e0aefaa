"""Schemas of retention."""

from __future__ import annotations

from marshmallow import fields, validate

from speakr.api.schemas.fields import StrictBoolean, bounded
from speakr.services.recordings.retention import MAX_DUE
from speakr.web.wire import UtcDateTime, Wire


class DueOut(Wire):
    """A recording that is due."""

    recording_id = fields.Integer(required=True)
    user_id = fields.Integer(required=True)
    created_at = UtcDateTime(required=True)
    due_at = UtcDateTime(required=True)
    retention_days = fields.Integer(required=True)
    rule = fields.String(required=True, validate=validate.OneOf(["tag", "folder", "server"]))


class OwnDueOut(DueOut):
    """A recording of the caller that is due."""

    title = fields.String(required=True)


class RetentionOut(Wire):
    """What retention has removed, or would remove first (at most 1,000 are listed)."""

    enabled = fields.Boolean(required=True, attribute="is_enabled")
    audio_only = fields.Boolean(
        required=True, metadata={"description": "Only the audio is removed; texts stay."}
    )
    due = bounded(DueOut, MAX_DUE)
    done = fields.Integer(required=True, metadata={"description": "How many were removed."})


class OwnRetentionOut(RetentionOut):
    """The caller's recordings that are due."""

    due = bounded(OwnDueOut, MAX_DUE)


class RetentionRunIn(Wire):
    """Whether to remove, or only to list."""

    dry_run = StrictBoolean(load_default=True)
