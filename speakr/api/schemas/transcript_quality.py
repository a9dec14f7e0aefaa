"""Schemas of what a transcript was made with, and of its quality."""

from __future__ import annotations

from marshmallow import fields

from speakr.api.schemas.fields import bounded
from speakr.domain.jobs import MAX_IGNORED
from speakr.web.wire import Wire


class TranscribedWithOut(Wire):
    """What the present transcript was made with. Options that were not asked for are null."""

    engine = fields.String(required=True, allow_none=True, metadata={"example": "openai"})
    model = fields.String(required=True, allow_none=True, metadata={"example": "whisper-1"})
    language = fields.String(required=True, allow_none=True, metadata={"example": "en"})
    hotwords = fields.String(required=True, allow_none=True)
    initial_prompt = fields.String(required=True, allow_none=True)
    min_speakers = fields.Integer(required=True, allow_none=True)
    max_speakers = fields.Integer(required=True, allow_none=True)
    ignored_options = bounded(
        fields.String(), MAX_IGNORED, metadata={"description": "Of these, what the engine does not support."}
    )


class QualityOut(Wire):
    """How far a transcript, as it was recognised, can be relied on. Null is what is not known."""

    confidence = fields.Float(
        required=True,
        allow_none=True,
        metadata={"description": "Mean of the segments, 0 to 1.", "example": 0.87},
    )
    language_probability = fields.Float(
        required=True,
        allow_none=True,
        metadata={"description": "How sure the engine is of the language, 0 to 1.", "example": 0.98},
    )
    signal_to_noise_db = fields.Float(
        required=True,
        allow_none=True,
        metadata={"description": "Level of the speech above the rest, in decibels.", "example": 24.5},
    )
    speech_share = fields.Float(
        required=True,
        allow_none=True,
        metadata={"description": "Share of the recording with speech.", "example": 0.81},
    )
    retried_share = fields.Float(
        required=True,
        allow_none=True,
        metadata={"description": "Share of the speech that was transcribed again.", "example": 0.02},
    )
    repaired_share = fields.Float(
        required=True,
        allow_none=True,
        metadata={
            "description": "Share of the speech whose second transcription was better.",
            "example": 0.01,
        },
    )
    times_estimated = fields.Boolean(
        required=True, metadata={"description": "The engine gave no times for at least a part."}
    )
