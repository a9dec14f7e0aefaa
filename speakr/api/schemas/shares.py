"""Shapes of shares."""

from __future__ import annotations

from marshmallow import fields

from speakr.api.schemas.fields import StrictBoolean, an_id, text
from speakr.web.wire import UtcDateTime, Wire


class ShareOut(Wire):
    """One recording, shown to one person."""

    id = fields.Integer(required=True)
    recording_id = fields.Integer(required=True)
    user_id = fields.Integer(required=True)
    username = fields.String(required=True)
    name = fields.String(required=True, allow_none=True)
    can_edit = fields.Boolean(required=True)
    created_at = UtcDateTime(required=True)


class ShareListOut(Wire):
    """Whom a recording is shared with, by name."""

    shares = fields.List(fields.Nested(ShareOut), required=True)


class ShareCreateIn(Wire):
    """Whom to share with, by id or by name, and what they may do."""

    user_id = an_id()
    username = text(80)
    can_edit = StrictBoolean(load_default=False)


class ShareUpdateIn(Wire):
    """What the recipient may do from now on."""

    can_edit = StrictBoolean(required=True)
