"""Schemas of speakers, and of the speakers of a recording."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from speakr.api.schemas.common import SuccessOut
from speakr.api.schemas.fields import BLANKS, REQUIRED, StrictBoolean, Text, an_id, bounded
from speakr.api.schemas.pages import PagedOut, page_of
from speakr.domain.caps import CAPS, Noun
from speakr.services.speech.recording_speakers import MAX_ENTRIES
from speakr.services.speech.voice_profiles import MAX_SUGGESTED
from speakr.web.wire import UtcDateTime, Wire

MAX_SPLIT = 1000
"""Recordings per request."""

_A_NAME = rf"^[^,]*[^,{BLANKS}\x01-\x1f\x7f-\x9f\xad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff][^,]*$"
"""Matches text with a visible character and without commas."""


class SpeakerRefOut(Wire):
    """A speaker, and the number of recordings that name them."""

    id = fields.Integer(required=True)
    name = fields.String(required=True)
    use_count = fields.Integer(required=True)


class SpeakerOut(SpeakerRefOut):
    """A speaker in the list."""

    last_used = UtcDateTime(required=True, allow_none=True)
    confidence_score = fields.Float(
        required=True, allow_none=True, metadata={"description": "Confidence in the voice profile, 0 to 1."}
    )
    has_voice_profile = fields.Boolean(required=True)
    has_outdated_voices = fields.Boolean(
        required=True,
        metadata={
            "description": "An earlier version's model made voices of this speaker. They match nothing; the server makes them again from recordings whose audio is stored."
        },
    )


class SpeakerListOut(PagedOut):
    """All speakers of a user, those in most recordings first."""

    speakers = page_of(SpeakerOut)


class SpeakerIn(Wire):
    """A speaker's name. The service checks it with its own messages, so it is not required here."""

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
    """The speaker after a change."""

    success = StrictBoolean(required=True)
    speaker = fields.Nested(SpeakerRefOut, required=True)


class MergeIn(Wire):
    """The other speaker who is the same person."""

    into_id = an_id(required=True)


class SplitIn(Wire):
    """The actual name, and the recordings."""

    name = Text(
        required=True,
        metadata={"example": "John Smith", "pattern": _A_NAME, "description": "As for a new speaker."},
    )
    recording_ids = fields.List(
        an_id(), required=True, validate=validate.Length(1, MAX_SPLIT), metadata={"example": [1]}
    )


class RecordingSpeakerOut(Wire):
    """A speaker of a recording."""

    label = fields.String(required=True)
    identified_name = fields.String(required=True, allow_none=True)
    speaker_id = fields.Integer(
        required=True, allow_none=True, metadata={"description": "For the recording's owner only."}
    )
    segment_count = fields.Integer(required=True)
    confirmed = fields.Boolean(
        required=True,
        metadata={
            "description": "True if a user set the name; false if it was matched by voice or is missing."
        },
    )


class SuggestionOut(Wire):
    """A possible name, by voice."""

    speaker_id = fields.Integer(required=True)
    name = fields.String(required=True)
    similarity = fields.Float(required=True, metadata={"description": "Percent"})


class RecordingSpeakersOut(Wire):
    """The speakers in the order of first appearance, and suggestions for those without a name."""

    speakers = bounded(RecordingSpeakerOut, CAPS[Noun.RECORDING_SPEAKERS])
    suggestions = fields.Dict(
        keys=fields.String(), values=bounded(SuggestionOut, MAX_SUGGESTED), required=True
    )


_NAME: dict[str, Any] = {"type": "string", "maxLength": 120}


class AssignIn(Wire):
    """The names of labels. The service checks the map and has its own, documented messages."""

    speaker_map = fields.Raw(
        load_default=None,
        metadata={
            "type": "object",
            "maxProperties": MAX_ENTRIES,
            "description": 'Label, or the name shown now, to a name or to {name, isMe}; "" removes the name.',
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
    """The fields of a recording that an assignment may change."""

    id = fields.Integer(required=True)
    title = fields.String(required=True)
    participants = fields.String(required=True, allow_none=True)
    status = fields.String(required=True)


class AssignedOut(SuccessOut):
    """The result of an assignment."""

    recording = fields.Nested(AssignedRecordingOut, required=True)
    summary_queued = fields.Boolean(required=True)
    embeddings_updated = fields.Integer(
        required=True, metadata={"description": "Number of updated voice profiles."}
    )
    snippets_created = fields.Integer(
        required=True, metadata={"description": "Number of stored voice samples."}
    )
