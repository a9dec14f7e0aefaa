"""Schemas of folders."""

from __future__ import annotations

from marshmallow import fields

from speakr.api.schemas.fields import NOT_BLANK, REQUIRED, text
from speakr.api.schemas.filing import FilingIn, FilingOut
from speakr.web.wire import UtcDateTime


class FolderIn(FilingIn):
    """A folder to create; only the name is required."""

    name = text(100, metadata={"example": "Client Calls", **NOT_BLANK, **REQUIRED})


class FolderUpdateIn(FilingIn):
    """Fields to change; all optional."""

    name = text(100, metadata={"example": "Client Calls", **NOT_BLANK})


class FolderOut(FilingOut):
    """A folder."""

    is_group_folder = fields.Boolean(required=True)
    group_name = fields.String(required=True, allow_none=True)
    naming_template_name = fields.String(required=True, allow_none=True)
    export_template_name = fields.String(required=True, allow_none=True)
    created_at = UtcDateTime(required=True)
    recording_count = fields.Integer(required=True)
    can_edit = fields.Boolean(required=True)
    user_role = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "admin or member; null for a personal folder."},
    )
