"""Schemas of transcriptions that are not kept."""

from __future__ import annotations

from marshmallow import fields, validate

from speakr.api.schemas.fields import LANGUAGE
from speakr.api.schemas.transcripts import WordOut
from speakr.domain.clips import MAX_KNOWN_SPEAKERS, MAX_SPEAKER_NAME
from speakr.domain.transcript_edits import MAX_SEGMENTS, MAX_WORDS
from speakr.web.wire import Wire

_FLAGS = ["true", "false"]
MAX_SPEAKERS = 1_000
MAX_OPTIONS = 20


class ClipForm(Wire):
    """The fields of a transcription that is not kept."""

    file = fields.Raw(required=True, metadata={"type": "string", "format": "binary"})
    language = fields.String(metadata=LANGUAGE)
    initial_prompt = fields.String()
    hotwords = fields.String()
    transcription_model = fields.String()
    diarize = fields.String(
        validate=validate.OneOf(_FLAGS),
        metadata={"description": "true: tell the speakers apart.", "example": "true"},
    )
    min_speakers = fields.String(metadata={"example": "2"})
    max_speakers = fields.String(metadata={"example": "4"})
    known_speaker_names = fields.List(
        fields.String(validate=validate.Length(max=MAX_SPEAKER_NAME)),
        validate=validate.Length(max=MAX_KNOWN_SPEAKERS),
        metadata={
            "description": "Names of people, repeated; needs `diarize` and as many references.",
            "example": ["Jane Smith"],
        },
    )
    known_speaker_references = fields.List(
        fields.String(),
        validate=validate.Length(max=MAX_KNOWN_SPEAKERS),
        metadata={
            "description": "A few seconds of each person's voice as a data URL (RFC 2397), repeated.",
            "example": ["data:audio/wav;base64,UklGRg=="],
        },
    )
    translate = fields.String(
        validate=validate.OneOf(_FLAGS),
        metadata={"description": "true: write English, if the engine can.", "example": "false"},
    )
    words = fields.String(
        validate=validate.OneOf(_FLAGS),
        metadata={"description": "true: with the times of words.", "example": "true"},
    )
    stream = fields.String(
        validate=validate.OneOf(_FLAGS),
        metadata={"description": "true: server-sent events.", "example": "false"},
    )


class ClipSegmentOut(Wire):
    """One segment; times in seconds."""

    speaker = fields.String(
        required=True, allow_none=True, metadata={"description": "Null without `diarize`."}
    )
    sentence = fields.String(required=True)
    start_time = fields.Float(required=True)
    end_time = fields.Float(required=True)
    confidence = fields.Float(required=True, allow_none=True)
    words = fields.List(
        fields.Nested(WordOut),
        validate=validate.Length(max=MAX_WORDS),
        metadata={"description": "With words=true only."},
    )


class ClipOut(Wire):
    """The transcript of a file that is not kept."""

    text = fields.String(required=True, metadata={"example": "Good morning."})
    language = fields.String(required=True, allow_none=True)
    duration_seconds = fields.Float(required=True, metadata={"example": 4.2})
    model = fields.String(required=True, metadata={"example": "whisper:base"})
    speakers = fields.List(
        fields.String(),
        required=True,
        validate=validate.Length(max=MAX_SPEAKERS),
        metadata={"example": ["Jane Smith"]},
    )
    segments = fields.List(
        fields.Nested(ClipSegmentOut), required=True, validate=validate.Length(max=MAX_SEGMENTS)
    )
    ignored_options = fields.List(
        fields.String(),
        required=True,
        validate=validate.Length(max=MAX_OPTIONS),
        metadata={"description": "Options that the engine does not support.", "example": ["hotwords"]},
    )
