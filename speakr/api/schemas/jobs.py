"""Schemas of jobs, and of the requests that queue them."""

from __future__ import annotations

from marshmallow import fields, pre_load, validate

from speakr.api.schemas.fields import MAX_LIMIT, Language, bounded, text
from speakr.api.schemas.tracks import CHANNELS
from speakr.domain.jobs import KINDS, MAX_IGNORED, JobState
from speakr.domain.recordings import Channels
from speakr.web.wire import UtcDateTime, Wire


class TranscribeIn(Wire):
    """How to transcribe; all optional."""

    language = Language(detection="")
    min_speakers = fields.Integer(strict=True, allow_none=True, validate=validate.Range(min=1, max=100))
    max_speakers = fields.Integer(strict=True, allow_none=True, validate=validate.Range(min=1, max=100))
    channels = fields.String(
        allow_none=True, validate=validate.OneOf(list(Channels)), metadata={**CHANNELS, "example": "separate"}
    )
    hotwords = text(10_000, allow_none=True)
    initial_prompt = text(10_000, allow_none=True)
    transcription_model = text(120, allow_none=True)


class SummarizeIn(Wire):
    """How to summarise; all optional."""

    custom_prompt = text(100_000, allow_none=True)

    @pre_load
    def accept_prompt(self, data: object, **_: object) -> object:
        """Accept `prompt` for `custom_prompt`, because known clients send it."""
        if isinstance(data, dict) and "prompt" in data:
            return {"custom_prompt": data["prompt"], **data}
        return data


class QueuedOut(Wire):
    """Work that was queued now or before."""

    success = fields.Boolean(required=True)
    job_id = fields.String(required=True)
    status = fields.String(required=True)
    message = fields.String(required=True)


class JobOut(Wire):
    """A job."""

    id = fields.String(required=True)
    recording_id = fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "The recording of the job; null for jobs without one."},
    )
    kind = fields.String(required=True, validate=validate.OneOf([str(kind) for kind in KINDS]))
    state = fields.String(required=True, validate=validate.OneOf([state.value for state in JobState]))
    progress = fields.Integer(required=True)
    message = fields.String(required=True, allow_none=True)
    attempts = fields.Integer(required=True)
    error_code = fields.String(required=True, allow_none=True)
    error_message = fields.String(required=True, allow_none=True)
    created_at = UtcDateTime(required=True)
    started_at = UtcDateTime(required=True, allow_none=True)
    finished_at = UtcDateTime(required=True, allow_none=True)
    not_before = UtcDateTime(required=True, allow_none=True)
    ignored_options = bounded(
        fields.String(),
        MAX_IGNORED,
        metadata={
            "description": "Requested options that the engine does not support; known after the transcription."
        },
    )


class JobListOut(Wire):
    """Jobs, newest first."""

    jobs = bounded(JobOut, MAX_LIMIT)
    limit = fields.Integer(required=True)


class JobListQuery(Wire):
    """Which jobs."""

    recording_id = fields.Integer(validate=validate.Range(min=1, max=2_147_483_647))
    state = fields.String(validate=validate.OneOf([state.value for state in JobState]))
    limit = fields.Integer(load_default=50, validate=validate.Range(min=1, max=MAX_LIMIT))
