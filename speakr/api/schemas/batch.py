"""Schemas of requests about many recordings."""

from __future__ import annotations

from marshmallow import fields, pre_load, validate

from speakr.api.schemas.fields import StrictBoolean, an_id
from speakr.web.wire import Wire

MAX_BATCH_IDS = 5_000


class BatchIn(Wire):
    """Which recordings. `ids` is accepted for `recording_ids`, because known clients send it."""

    recording_ids = fields.List(
        an_id(),
        required=True,
        validate=validate.Length(min=1, max=MAX_BATCH_IDS),
        error_messages={"required": "recording_ids required"},
        metadata={
            "description": f"At most {MAX_BATCH_IDS:,}; an id that is repeated counts once.",
            "example": [1, 2, 3],
        },
    )

    @pre_load
    def accept_ids(self, data: object, **_: object) -> object:
        """Accept `ids` for `recording_ids`."""
        if isinstance(data, dict) and "ids" in data and "recording_ids" not in data:
            return {**data, "recording_ids": data["ids"]}
        return data


class BatchChanges(Wire):
    """What to change; all optional."""

    is_inbox = StrictBoolean()
    is_highlighted = StrictBoolean()
    add_tag_ids = fields.List(an_id(), validate=validate.Length(max=100))
    remove_tag_ids = fields.List(an_id(), validate=validate.Length(max=100))
    folder_id = an_id(allow_none=True)


class BatchUpdateIn(BatchIn):
    """Which recordings to change, and how."""

    updates = fields.Nested(BatchChanges, required=True)


class BatchResultOut(Wire):
    """The result for one recording."""

    id = fields.Integer(required=True)
    success = fields.Boolean(required=True)
    error = fields.String()
    job_id = fields.String()


class BatchOut(Wire):
    """The result for each recording, in the order of the request."""

    success = StrictBoolean(required=True)
    failed = fields.Integer(required=True)
    results = fields.List(fields.Nested(BatchResultOut), required=True)


class BatchUpdatedOut(BatchOut):
    """The result of a change."""

    updated = fields.Integer(required=True)


class BatchDeletedOut(BatchOut):
    """The result of a deletion."""

    deleted = fields.Integer(required=True)


class BatchQueuedOut(BatchOut):
    """The result of queuing jobs."""

    queued = fields.Integer(required=True)
