"""Uploads whose bytes do not come with the request: from a URL, or by a signed PUT."""

from __future__ import annotations

from marshmallow import fields, validate

from speakr.api.schemas.fields import MAX_ELEMENTS, WHEN, Language, StrictBoolean, an_id, text
from speakr.api.schemas.recordings import LONG_TEXT
from speakr.api.schemas.tracks import CHANNELS
from speakr.domain.recordings import FIRST_WORDS, Channels
from speakr.web.wire import UtcDateTime, Wire

MAX_LIFETIME_SECONDS = 7 * 24 * 3600
_MAX_URL_LENGTH = 2048
_MAX_COUNT = 100
_SPEAKERS = validate.Range(min=1, max=_MAX_COUNT)


class UploadFieldsIn(Wire):
    """What describes a recording, as with a multipart upload."""

    title = text(200, allow_none=True)
    auto_title = fields.String(
        allow_none=True,
        validate=validate.OneOf([FIRST_WORDS]),
        metadata={"description": "As in the upload of a form.", "example": FIRST_WORDS},
    )
    notes = text(LONG_TEXT, allow_none=True)
    meeting_date = fields.String(
        allow_none=True,
        metadata={**WHEN, "example": "2024-01-15T09:00:00Z"},
        validate=validate.Length(max=64),
    )
    file_last_modified = fields.Integer(
        strict=True,
        allow_none=True,
        validate=validate.Range(min=0, max=10**15),
        metadata={"description": "Milliseconds since 1970.", "example": 1705309200000},
    )
    file_time_hint = fields.Integer(
        strict=True,
        allow_none=True,
        validate=validate.Range(min=0, max=10**15),
        metadata={
            "description": "Milliseconds since 1970; used if neither the file nor its name has a date.",
            "example": 1705309200000,
        },
    )
    language = Language(detection="")
    min_speakers = fields.Integer(strict=True, allow_none=True, validate=_SPEAKERS, metadata={"example": 2})
    max_speakers = fields.Integer(strict=True, allow_none=True, validate=_SPEAKERS, metadata={"example": 4})
    tag_ids = fields.List(an_id(), validate=validate.Length(max=_MAX_COUNT), metadata={"example": [3]})
    tags = fields.List(
        text(50),
        validate=validate.Length(max=_MAX_COUNT),
        metadata={"description": "Names.", "example": ["Interviews"]},
    )
    folder_id = an_id(allow_none=True, metadata={"example": 5})
    keep_audio_only = StrictBoolean(
        metadata={"description": "Store only the sound of a video.", "example": True}
    )
    channels = fields.String(
        allow_none=True, validate=validate.OneOf(list(Channels)), metadata={**CHANNELS, "example": "separate"}
    )
    hotwords = text(10_000, allow_none=True)
    initial_prompt = text(10_000, allow_none=True)
    transcription_model = text(120, allow_none=True)
    prompt_variables = fields.Dict(
        keys=fields.String(validate=validate.Length(max=64)),
        values=text(8_000),
        validate=MAX_ELEMENTS,
        metadata={"description": "Texts for {{names}} in prompts.", "example": {"project": "Apollo"}},
    )


class FromUrlIn(UploadFieldsIn):
    """A file that Speakr fetches."""

    url = fields.String(
        required=True,
        validate=validate.Length(min=1, max=_MAX_URL_LENGTH),
        metadata={"example": "https://files.example.com/meeting.m4a"},
    )
    headers = fields.Dict(
        keys=fields.String(validate=validate.Length(max=64)),
        values=fields.String(),
        validate=MAX_ELEMENTS,
        load_default=dict,
        metadata={
            "description": "Sent to the origin of `url` only: Authorization, Cookie, Referer, User-Agent, X-Api-Key, X-Auth-Token.",
            "example": {"Authorization": "Bearer a-token-of-that-server"},
        },
    )
    filename = text(255, allow_none=True, metadata={"description": "Else as the server names the file."})


class SignedUploadIn(UploadFieldsIn):
    """A file that is brought by one PUT to a signed address."""

    filename = text(255, required=True)
    size = fields.Integer(
        strict=True,
        allow_none=True,
        validate=validate.Range(min=1, max=10**15),
        metadata={"description": "Bytes; a PUT of another size is refused.", "example": 1843200},
    )
    content_type = fields.String(
        allow_none=True,
        validate=validate.Length(max=255),
        metadata={"description": "The PUT must have it too.", "example": "audio/wav"},
    )
    expires_in = fields.Integer(
        strict=True,
        load_default=3600,
        validate=validate.Range(min=1, max=MAX_LIFETIME_SECONDS),
        metadata={"description": "Seconds.", "example": 3600},
    )


class SignedUploadOut(Wire):
    """Where to send the file, and how."""

    upload_id = fields.Integer(required=True)
    url = fields.String(
        required=True,
        metadata={
            "description": "A credential: who has it may send the file.",
            "example": "https://speakr.example.com/api/v1/uploads/7/content?user=1&expires=1705312800&signature=3q2-7w",
        },
    )
    method = fields.String(required=True, metadata={"example": "PUT"})
    headers = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        required=True,
        metadata={"description": "Headers that the PUT must have.", "example": {"Content-Type": "audio/wav"}},
    )
    expires_at = UtcDateTime(required=True)
