"""Schemas of templates."""

from __future__ import annotations

from marshmallow import fields, validate

from speakr.api.schemas.fields import BIGGEST_ID, NOT_BLANK, StrictBoolean, Text, bounded, text
from speakr.domain.caps import CAPS, Noun
from speakr.domain.templates import TemplateKind
from speakr.services.language.templates import MAX_LENGTHS
from speakr.web.wire import UtcDateTime, Wire

_BODY = {
    **NOT_BLANK,
    "maxLength": max(MAX_LENGTHS.values()),
    "example": "{{start_time}} {{speaker}}: {{text}}",
}
_KIND = validate.OneOf([kind.value for kind in TemplateKind])


class TemplateOut(Wire):
    """A template."""

    id = fields.Integer(required=True)
    kind = fields.String(required=True, validate=_KIND)
    name = fields.String(required=True)
    body = fields.String(required=True)
    is_default = fields.Boolean(required=True)
    created_at = UtcDateTime(required=True)
    updated_at = UtcDateTime(required=True)


class TemplateListOut(Wire):
    """Templates, by kind and name."""

    templates = bounded(TemplateOut, CAPS[Noun.TEMPLATES])


class TemplateListQuery(Wire):
    """Which templates."""

    kind = fields.String(validate=_KIND)


class TemplateUpdateIn(Wire):
    """Fields to change; all optional. The maximum length of a body depends on the kind."""

    name = text(100, metadata=NOT_BLANK)
    body = Text(metadata=_BODY)
    is_default = StrictBoolean()


class TemplateCreateIn(Wire):
    """A new template."""

    kind = fields.String(required=True, validate=_KIND)
    name = text(100, required=True, metadata=NOT_BLANK)
    body = Text(required=True, metadata=_BODY)
    is_default = StrictBoolean(load_default=False)


class ExportQuery(Wire):
    """The template of the document."""

    template_id = fields.Integer(
        validate=validate.Range(min=1, max=BIGGEST_ID),
        metadata={"description": "One of your export templates."},
    )
    format = fields.String(load_default="md", validate=validate.OneOf(["md"]))
