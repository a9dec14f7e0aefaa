"""Shapes of speakers, and of who is who in a recording."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from speakr.api.schemas.common import SuccessOut
from speakr.api.schemas.fields import BLANKS, REQUIRED, StrictBoolean, Text, an_id
from speakr.services.speech.recording_speakers import MAX_ENTRIES
from speakr.web.wire import UtcDateTime, Wire

MAX_SPLIT = 1000
"""Recordings named in one request."""

_A_NAME = rf"^[^,]*[^,{BLANKS}\x01-\x1f\x7f-\x9f\xad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff][^,]*$"
"""Somewhere stands what can be seen, and nowhere a comma."""


class SpeakerRefOut(Wire):
    """A speaker and in how many recordings they are named."""

    id = fields.Integer(required=True)
    name = fields.String(required=True)
    use_count = fields.Integer(required=True)


class SpeakerOut(SpeakerRefOut):
    """A speaker in the list."""

    last_used = UtcDateTime(required=True, allow_none=True)
    confidence_score = fields.Float(
        required=True, allow_none=True, metadata={"description": "How well the voice is known, 0 to 1."}
    )
    has_voice_profile = fields.Boolean(required=True)


class SpeakerListOut(Wire):
    """All of a user's speakers, those in most recordings first."""

    speakers = fields.List(fields.Nested(SpeakerOut), required=True)


class SpeakerIn(Wire):
    """A speaker's name. What it may be is told by the service, so it is not required here."""

    name = Text(
        load_default="",
        allow_none=True,
        metadata={
            **REQUIRED,
            "example": "Jane Smith",
            "pattern": _A_NAME,
            "description": "At most 120 characters on one line, without commas: they separate participants.",
        },
    )


class SpeakerCreatedOut(SpeakerRefOut):
    """A new speaker."""

    created_at = UtcDateTime(required=True)


class SpeakerChangedOut(Wire):
    """A speaker as it is now."""

    success = StrictBoolean(required=True)
    speaker = fields.Nested(SpeakerRefOut, required=True)


class MergeIn(Wire):
    """Whom a speaker turns out to be."""

    into_id = an_id(required=True)


class SplitIn(Wire):
    """Who it was instead, and where."""

    name = Text(
        required=True,
        metadata={"example": "John Smith", "pattern": _A_NAME, "description": "As for a new speaker."},
    )
    recording_ids = fields.List(
        an_id(), required=True, validate=validate.Length(1, MAX_SPLIT), metadata={"example": [1]}
    )


class RecordingSpeakerOut(Wire):
    """Somebody who speaks in a recording."""

    label = fields.String(required=True)
    identified_name = fields.String(required=True, allow_none=True)
    speaker_id = fields.Integer(
        required=True, allow_none=True, metadata={"description": "For the recording's owner only."}
    )
    segment_count = fields.Integer(required=True)
    confirmed = fields.Boolean(
        required=True,
        metadata={"description": "A person gave the name; else it was given by voice, or there is none."},
    )


class SuggestionOut(Wire):
    """Who somebody may be, by their voice."""

    speaker_id = fields.Integer(required=True)
    name = fields.String(required=True)
    similarity = fields.Float(required=True, metadata={"description": "Percent"})


class RecordingSpeakersOut(Wire):
    """Who speaks, in order of first appearance, and who the nameless may be."""

    speakers = fields.List(fields.Nested(RecordingSpeakerOut), required=True)
    suggestions = fields.Dict(
        keys=fields.String(), values=fields.List(fields.Nested(SuggestionOut)), required=True
    )


_NAME: dict[str, Any] = {"type": "string", "maxLength": 120}


class AssignIn(Wire):
    """Who is who. The service tells what is wrong with the map, in the documented words."""

    speaker_map = fields.Raw(
        load_default=None,
        metadata={
            "type": "object",
            "maxProperties": MAX_ENTRIES,
            "description": 'Label, or the name shown now, to a name or to {name, isMe}; "" takes the name away.',
            "additionalProperties": {
                "oneOf": [
                    _NAME,
                    {"type": "object", "properties": {"name": _NAME, "isMe": {"type": "boolean"}}},
                ]
            },
            "example": {"SPEAKER_00": "Jane Smith", "SPEAKER_01": {"name": "", "isMe": True}},
        },
    )
    regenerate_summary = StrictBoolean(load_default=False)


class AssignedRecordingOut(Wire):
    """What an assignment may change in a recording."""

    id = fields.Integer(required=True)
    title = fields.String(required=True)
    participants = fields.String(required=True, allow_none=True)
    status = fields.String(required=True)


class AssignedOut(SuccessOut):
    """What an assignment left behind."""

    recording = fields.Nested(AssignedRecordingOut, required=True)
    summary_queued = fields.Boolean(required=True)
    embeddings_updated = fields.Integer(
        required=True, metadata={"description": "Voice profiles that learned."}
    )
    snippets_created = fields.Integer(required=True, metadata={"description": "Voice samples kept."})
