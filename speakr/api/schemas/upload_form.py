"""Schemas of an upload as one form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import fields, validate

from speakr.api.schemas.fields import LANGUAGE, WHEN
from speakr.api.schemas.recordings import STATUSES
from speakr.api.schemas.tracks import CHANNELS
from speakr.domain.recordings import FIRST_WORDS, Channels
from speakr.web.wire import UtcDateTime, Wire


class UploadOut(Wire):
    """An uploaded recording."""

    id = fields.Integer(required=True)
    title = fields.String(required=True)
    status = fields.String(required=True, validate=validate.OneOf(STATUSES))
    created_at = UtcDateTime(required=True)
    meeting_date = UtcDateTime(required=True, allow_none=True)
    file_size = fields.Integer(required=True)
    original_filename = fields.String(required=True)
    mime_type = fields.String(required=True)
    notes = fields.String(required=True, allow_none=True)
    keep_audio_only = fields.Boolean(required=True)
    duplicate_warning = fields.Nested(
        Wire.from_dict(
            {
                "existing_recording_id": fields.Integer(required=True),
                "existing_title": fields.String(required=True),
                "existing_created_at": UtcDateTime(required=True),
            },
            name="DuplicateWarningOut",
        )
    )


_NUMBER: Mapping[str, Any] = {
    "anyOf": [{"type": "integer"}, {"type": "string"}],
    "description": "A number; anything else counts as absent.",
    "example": 2,
}


class UploadForm(Wire):
    """The fields of an upload, for the OpenAPI document; `api/uploads.py` reads them from the stream."""

    file = fields.Raw(required=True, metadata={"type": "string", "format": "binary"})
    title = fields.String()
    auto_title = fields.String(
        validate=validate.OneOf([FIRST_WORDS]),
        metadata={
            "description": "Without a title: the first eight words that are said. Otherwise the language model writes one.",
            "example": FIRST_WORDS,
        },
    )
    notes = fields.String()
    meeting_date = fields.String(metadata={**WHEN, "example": "2024-01-15T09:00:00Z"})
    file_last_modified = fields.String(
        metadata={"description": "Milliseconds since 1970.", "example": "1705309200000"}
    )
    file_time_hint = fields.String(
        metadata={
            "description": "Milliseconds since 1970; used if neither the file nor its name has a date.",
            "example": "1705309200000",
        }
    )
    language = fields.String(metadata=LANGUAGE)
    min_speakers = fields.Raw(metadata=_NUMBER)
    max_speakers = fields.Raw(metadata=_NUMBER)
    tag_id = fields.Raw(metadata={**_NUMBER, "description": "One tag; several as tag_ids[0], tag_ids[1] ..."})
    tags = fields.String(metadata={"description": "A tag by name; may be repeated."})
    folder_id = fields.Raw(metadata=_NUMBER)
    keep_audio_only = fields.String(metadata={"description": "true: store only the audio track of a video."})
    channels = fields.String(
        validate=validate.OneOf(list(Channels)), metadata={**CHANNELS, "example": "separate"}
    )
    hotwords = fields.String()
    initial_prompt = fields.String()
    transcription_model = fields.String()
    prompt_variables = fields.String(
        metadata={"description": "A JSON object of texts for {{names}} in prompts."}
    )
