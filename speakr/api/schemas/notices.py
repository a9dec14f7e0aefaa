"""Schemas of notices."""

from __future__ import annotations

from marshmallow import fields, validate

from speakr.api.schemas.fields import MAX_LIMIT, bounded, one_of
from speakr.domain.notices import NoticeKind
from speakr.web.wire import UtcDateTime, Wire


class NoticeOut(Wire):
    """A notice; `read_at` is null until it is marked as read."""

    id = fields.Integer(required=True)
    kind = one_of(NoticeKind, required=True)
    text = fields.String(required=True)
    webhook_id = fields.Integer(required=True, allow_none=True)
    created_at = UtcDateTime(required=True)
    read_at = UtcDateTime(required=True, allow_none=True)


class NoticeListOut(Wire):
    """Notices: unread ones first, then newest first."""

    notices = bounded(NoticeOut, MAX_LIMIT)
    unread_count = fields.Integer(required=True)
    limit = fields.Integer(required=True)


class NoticeListQuery(Wire):
    """How many."""

    limit = fields.Integer(load_default=50, validate=validate.Range(min=1, max=MAX_LIMIT))
