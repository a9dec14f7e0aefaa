"""What tags and folders have in common: ownership, permissions and columns."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from speakr.db import db
from speakr.domain.errors import Forbidden, Invalid, NotFound
from speakr.domain.permissions import Actor, GroupRole
from speakr.domain.templates import TemplateKind
from speakr.models import Folder, Tag, Template
from speakr.models.filing import Filing
from speakr.services.accounts import memberships
from speakr.services.jobs import processing

PROTECTED = -1
"""The documented value of `retention_days` for "never delete"."""

COLUMNS = (
    "name",
    "color",
    "custom_prompt",
    "default_language",
    "default_min_speakers",
    "default_max_speakers",
    "default_hotwords",
    "default_initial_prompt",
    "default_transcription_model",
    "protect_from_deletion",
    "retention_days",
    "auto_share_on_apply",
    "share_with_group_lead",
    "naming_template_id",
    "export_template_id",
)
"""Columns that a user with edit permission may set."""

Kind = TypeVar("Kind", Tag, Folder)

_TEMPLATES = {"naming_template_id": TemplateKind.NAMING, "export_template_id": TemplateKind.EXPORT}


def owner_columns(actor: Actor, group_id: int | None, refusal: str) -> dict[str, int | None]:
    """Return the owner columns of a new tag or folder: the actor, or a group that the actor administers.

    Raises:
        Forbidden: the actor is not an admin of the group; the error does not say whether the group exists.

    """
    if group_id is None:
        return {"user_id": actor.user_id, "group_id": None}
    if memberships.role(actor.user_id, group_id) is not GroupRole.ADMIN:
        raise Forbidden(refusal, code="group_admin_required")
    return {"user_id": None, "group_id": group_id}


def load(kind: type[Kind], actor: Actor, thing_id: int, *, for_change: bool = False) -> Kind:
    """Load a tag or folder that an actor may use or, with `for_change`, edit.

    Raises:
        NotFound: it does not exist or the actor may not see it.
        Forbidden: it belongs to a group of which the actor is not an admin.

    """
    name = kind.__name__
    query = select(kind).where(kind.id == thing_id, memberships.can_use(kind, actor))
    if for_change:  # before the recordings that have it
        query = query.with_for_update(of=kind).execution_options(populate_existing=True)
    found = db.session.scalar(query)
    if found is None:
        raise NotFound(f"{name} not found")
    if for_change and not memberships.can_edit(found, actor, memberships.roles(actor.user_id)):
        raise Forbidden(f"Only group admins can edit group {name.lower()}s", code="group_admin_required")
    return found


def put(actor: Actor, thing: Filing, values: Mapping[str, Any]) -> None:
    """Validate the given values and set the columns."""
    values = {name: value for name, value in values.items() if name in COLUMNS}
    if values.get("retention_days") == PROTECTED:
        values |= {"retention_days": None, "protect_from_deletion": True}
    for name, kind in _TEMPLATES.items():
        if values.get(name) is not None:
            _check_template(actor, values[name], kind, name)
    for name, value in values.items():
        setattr(thing, name, value)
    processing.check_speaker_counts(thing.default_min_speakers, thing.default_max_speakers, prefix="default_")


def _check_template(actor: Actor, template_id: int, kind: TemplateKind, field: str) -> None:
    known = db.session.scalar(
        select(Template.id).where(
            Template.id == template_id, Template.user_id == actor.user_id, Template.kind == kind
        )
    )
    if known is None:
        raise NotFound(f"{kind.value.capitalize()} template {template_id} not found", field=field)


@contextlib.contextmanager
def unique_name(thing: Filing, sentence: str, sentence_of_group: str) -> Iterator[None]:
    """Refuse a name that the owner already uses. Make all changes inside the block: the database checks the name."""
    try:
        with db.session.begin_nested():
            yield
    except IntegrityError:
        raise Invalid(
            sentence if thing.group_id is None else sentence_of_group,
            code="name_taken",
            errors={"name": ["is in use"]},
        ) from None
