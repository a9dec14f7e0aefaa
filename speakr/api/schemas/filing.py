"""Fields that schemas of tags and folders share."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, post_load, pre_load, validate

from speakr.api.schemas.fields import Language, Pattern, StrictBoolean, an_id, text
from speakr.web.wire import Wire

MAX_SPEAKERS = 100
MAX_PROMPT_LENGTH = 20_000


class FilingIn(Wire):
    """Defaults for recordings with the tag or in the folder, and their retention."""

    color = fields.String(validate=Pattern("^#[0-9A-Fa-f]{6}$"), metadata={"example": "#10B981"})
    custom_prompt = text(MAX_PROMPT_LENGTH, allow_none=True)
    default_language = Language(detection="", keeps_region=True)
    default_min_speakers = fields.Integer(
        strict=True, allow_none=True, validate=validate.Range(min=1, max=MAX_SPEAKERS)
    )
    default_max_speakers = fields.Integer(
        strict=True, allow_none=True, validate=validate.Range(min=1, max=MAX_SPEAKERS)
    )
    default_hotwords = text(10_000, allow_none=True)
    default_initial_prompt = text(10_000, allow_none=True)
    default_transcription_model = text(120, allow_none=True)
    protect_from_deletion = StrictBoolean()
    retention_days = fields.Integer(
        strict=True,
        allow_none=True,
        validate=[validate.Range(min=-1, max=36_500), validate.NoneOf([0])],
        metadata={
            "description": "Days a recording is kept; null for the server's rule, -1 for ever.",
            "example": 90,
        },
    )
    auto_share_on_apply = StrictBoolean(
        metadata={"description": "Only with group_id: every member sees these recordings."}
    )
    share_with_group_lead = StrictBoolean(
        metadata={"description": "Only with group_id: its admins see these recordings."}
    )
    naming_template_id = an_id(allow_none=True)
    export_template_id = an_id(allow_none=True)
    group_id = an_id(
        allow_none=True, metadata={"description": "The group that owns it; null for a personal one."}
    )

    @pre_load
    def tidy(self, data: object, **_: object) -> object:
        """Treat 0 days as no rule, because forms send it."""
        if isinstance(data, dict) and data.get("retention_days") == 0 and data["retention_days"] is not False:
            data = {**data, "retention_days": None}
        return data

    @post_load
    def trim(self, data: dict[str, Any], **_: object) -> dict[str, Any]:
        """Trim the name."""
        return {**data, "name": data["name"].strip()} if "name" in data else data


class FilingOut(Wire):
    """The fields that tags and folders share."""

    id = fields.Integer(required=True)
    name = fields.String(required=True)
    color = fields.String(required=True)
    group_id = fields.Integer(required=True, allow_none=True)
    custom_prompt = fields.String(required=True, allow_none=True)
    default_language = fields.String(required=True, allow_none=True)
    default_min_speakers = fields.Integer(required=True, allow_none=True)
    default_max_speakers = fields.Integer(required=True, allow_none=True)
    default_hotwords = fields.String(required=True, allow_none=True)
    default_initial_prompt = fields.String(required=True, allow_none=True)
    default_transcription_model = fields.String(required=True, allow_none=True)
    protect_from_deletion = fields.Boolean(required=True)
    retention_days = fields.Integer(required=True, allow_none=True)
    auto_share_on_apply = fields.Boolean(required=True)
    share_with_group_lead = fields.Boolean(required=True)
    naming_template_id = fields.Integer(required=True, allow_none=True)
    export_template_id = fields.Integer(required=True, allow_none=True)
