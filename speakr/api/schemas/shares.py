"""Schemas of shares."""

from __future__ import annotations

from marshmallow import fields

from speakr.api.schemas.fields import StrictBoolean, an_id, text
from speakr.api.schemas.pages import PagedOut, page_of
from speakr.web.wire import UtcDateTime, Wire


class ShareOut(Wire):
    """One recording, shared with one user."""

    id = fields.Integer(required=True)
    recording_id = fields.Integer(required=True)
    user_id = fields.Integer(required=True)
    username = fields.String(required=True)
    name = fields.String(required=True, allow_none=True)
    can_edit = fields.Boolean(required=True)
    created_at = UtcDateTime(required=True)


class ShareListOut(PagedOut):
    """The users a recording is shared with, by name."""

    shares = page_of(ShareOut)


class ShareCreateIn(Wire):
    """The user to share with, by id or by name, and the permissions."""

    user_id = an_id()
    username = text(80)
    can_edit = StrictBoolean(load_default=False)


class ShareUpdateIn(Wire):
    """The new permissions of the recipient."""

    can_edit = StrictBoolean(required=True)
