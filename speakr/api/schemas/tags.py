"""Schemas of tags."""

from __future__ import annotations

from marshmallow import fields, pre_load, validate

from speakr.api.schemas.fields import NOT_BLANK, REQUIRED, StrictBoolean, an_id, bounded, text
from speakr.api.schemas.filing import FilingIn, FilingOut
from speakr.api.schemas.pages import PagedOut, page_of
from speakr.api.schemas.recordings import TagRefOut
from speakr.domain.caps import CAPS, Noun
from speakr.web.wire import Wire


class TagIn(FilingIn):
    """A tag to create; only the name is required."""

    name = text(50, metadata={"example": "Interviews", **NOT_BLANK, **REQUIRED})


class TagUpdateIn(TagIn):
    """Fields to change; all optional. A tag keeps its owner."""

    name = text(50, metadata={"example": "Interviews", **NOT_BLANK})

    class Meta(TagIn.Meta):
        """Options of marshmallow."""

        exclude = ("group_id",)


class TagOut(FilingOut):
    """A tag."""

    is_group_tag = fields.Boolean(required=True)
    can_edit = fields.Boolean(required=True)


class TagListOut(PagedOut):
    """Tags that the caller may put on recordings."""

    tags = page_of(TagOut)


class TagUpdatedOut(Wire):
    """The tag after a change."""

    success = StrictBoolean(required=True)
    tag = fields.Nested(TagOut, required=True)


class TagsAddIn(Wire):
    """Tags to add to a recording: by id or by name."""

    tag_ids = fields.List(an_id(), validate=validate.Length(max=100))
    tag_id = an_id()
    tags = fields.List(text(50), validate=validate.Length(max=100))

    @pre_load
    def accept_one_name(self, data: object, **_: object) -> object:
        """Accept a single name in place of a list."""
        if isinstance(data, dict) and isinstance(data.get("tags"), str):
            return {**data, "tags": [data["tags"]]}
        return data


class TagsReplaceIn(Wire):
    """All tags of a recording from now on."""

    tag_ids = fields.List(
        an_id(),
        required=True,
        validate=validate.Length(max=CAPS[Noun.RECORDING_TAGS]),
        metadata={"example": [3, 5]},
    )


class TagsReplacedOut(Wire):
    """The tags of a recording, in their order."""

    success = StrictBoolean(required=True)
    tags = bounded(TagRefOut, CAPS[Noun.RECORDING_TAGS])


class AddedTagOut(Wire):
    """A tag that was added."""

    id = fields.Integer(required=True)
    name = fields.String(required=True)


class TagsAddedOut(Wire):
    """The tags that were added, and the errors of the others."""

    success = StrictBoolean(required=True)
    added_tags = fields.List(fields.Nested(AddedTagOut), required=True)
    errors = fields.List(fields.String(), required=True, allow_none=True)
