"""Shapes of merging and cutting."""

from __future__ import annotations

from marshmallow import fields, validate

from speakr.api.schemas.fields import StrictBoolean, an_id, text
from speakr.api.schemas.upload_form import UploadOut
from speakr.domain.derivation import MAX_GAP_SECONDS, MAX_MERGED, MIN_MERGED
from speakr.web.wire import Wire

_MAX_SECONDS = 1_000_000.0


class MergeRecordingsIn(Wire):
    """Which recordings become one, and how."""

    recording_ids = fields.List(
        an_id(),
        required=True,
        validate=validate.Length(min=MIN_MERGED, max=MAX_MERGED),
        metadata={
            "description": f"{MIN_MERGED} to {MAX_MERGED}, in the order in which they are joined, each once.",
            "example": [3, 1, 2],
            "uniqueItems": True,
        },
    )
    title = text(200, metadata={"description": "That of the first recording if it is left out."})
    keep_originals = StrictBoolean(
        load_default=True, metadata={"description": "false: delete them once the new recording is complete."}
    )
    gap_seconds = fields.Float(
        load_default=0.0,
        validate=validate.Range(min=0, max=MAX_GAP_SECONDS),
        metadata={"description": "Silence between recordings.", "example": 0},
    )


class CutRecordingIn(Wire):
    """Where a recording is cut, and how the two new ones are called."""

    at = fields.Float(
        required=True,
        validate=validate.Range(min=0, max=_MAX_SECONDS),
        metadata={"description": "Seconds from the start of the recording.", "example": 750.5},
    )
    titles = fields.List(
        text(200),
        validate=validate.Length(equal=2),
        metadata={
            "description": "Of both. Left out or empty: the recording's title and (1/2) or (2/2).",
            "example": ["Planning", "Budget"],
        },
    )
    keep_original = StrictBoolean(
        load_default=True, metadata={"description": "false: delete it once both new recordings are complete."}
    )


class DerivedOut(UploadOut):
    """A new recording that is made of others; `file_size` is 0 until its audio is ready."""


class CutRecordingOut(Wire):
    """The two new recordings, in order."""

    recordings = fields.List(fields.Nested(DerivedOut), required=True)
