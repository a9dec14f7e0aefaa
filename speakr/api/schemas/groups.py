"""Schemas of groups and their members."""

from __future__ import annotations

from marshmallow import fields, validate

from speakr.api.schemas.fields import NOT_BLANK, QueryBoolean, an_id, text
from speakr.api.schemas.pages import PagedOut, PageQuery, page_of
from speakr.domain.permissions import GroupRole
from speakr.web.wire import UtcDateTime, Wire

_ROLE = validate.OneOf([role.value for role in GroupRole])


class GroupOut(Wire):
    """A group."""

    id = fields.Integer(required=True)
    name = fields.String(required=True)
    description = fields.String(required=True, allow_none=True)
    role = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "The caller's; null if the caller is no member."},
    )
    member_count = fields.Integer(required=True)
    created_at = UtcDateTime(required=True)


class GroupListOut(PagedOut):
    """Groups, by name."""

    groups = page_of(GroupOut)


class GroupListQuery(PageQuery):
    """Which groups."""

    all = QueryBoolean(
        load_default=False, metadata={"description": "true: all groups, for site administrators"}
    )


class GroupCreateIn(Wire):
    """A new group."""

    name = text(100, required=True, metadata={"example": "Engineering", **NOT_BLANK})
    description = text(500, allow_none=True, load_default=None)


class GroupUpdateIn(Wire):
    """Fields to change; all optional."""

    name = text(100, metadata=NOT_BLANK)
    description = text(500, allow_none=True)


class MemberOut(Wire):
    """A member of a group."""

    user_id = fields.Integer(required=True)
    username = fields.String(required=True)
    name = fields.String(required=True, allow_none=True)
    role = fields.String(required=True, validate=_ROLE)
    joined_at = UtcDateTime(required=True)


class MemberListOut(PagedOut):
    """The members of a group, its admins first."""

    members = page_of(MemberOut)


class MemberCreateIn(Wire):
    """The user to add: by id or by name."""

    user_id = an_id()
    username = text(80)
    role = fields.String(load_default=GroupRole.MEMBER.value, validate=_ROLE)


class MemberUpdateIn(Wire):
    """Another role."""

    role = fields.String(required=True, validate=_ROLE)
