"""Schemas of what the file of a recording is like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import fields, validate

from speakr.api.schemas.fields import bounded
from speakr.domain.recordings import MAX_TRACKS, DateSource, Warned
from speakr.web.wire import Wire

CHANNELS: Mapping[str, Any] = {
    "description": "auto: separate the two sides of a call and mix everything else; separate: one speaker per channel; mix."
}


class TrackOut(Wire):
    """An audio track of the file. What only decoding shows is null until then."""

    index = fields.Integer(
        required=True, metadata={"description": "Among the audio tracks, from 0.", "example": 0}
    )
    codec = fields.String(
        required=True, allow_none=True, metadata={"description": "FFmpeg's name of it.", "example": "aac"}
    )
    channels = fields.Integer(required=True, allow_none=True, metadata={"example": 2})
    language = fields.String(
        required=True, allow_none=True, metadata={"description": "As the file says it.", "example": "eng"}
    )
    title = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "As the file says it.", "example": "Microphone"},
    )
    is_silent = fields.Boolean(
        required=True,
        allow_none=True,
        metadata={"description": "There is no speech in it.", "example": False},
    )
    is_used = fields.Boolean(
        required=True, allow_none=True, metadata={"description": "It was transcribed.", "example": True}
    )
    same_as = fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "Index of a track in which the speech of this one is too.", "example": None},
    )
    is_split = fields.Boolean(
        required=True,
        allow_none=True,
        metadata={"description": "Its channels are speakers of their own.", "example": False},
    )


class AboutFileOut(Wire):
    """What is known of the file of a recording."""

    meeting_date_source = fields.String(
        required=True,
        allow_none=True,
        validate=validate.OneOf(list(DateSource)),
        metadata={"description": "Where meeting_date comes from; null if that is not known."},
    )
    tracks = bounded(TrackOut, MAX_TRACKS)
    warnings = bounded(fields.String(validate=validate.OneOf(list(Warned))), len(Warned))
    skipped_seconds = fields.Float(
        required=True,
        allow_none=True,
        metadata={"description": "Seconds of sound that are broken; null until it is decoded."},
    )
