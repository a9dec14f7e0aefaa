"""Templates of users. Every write locks the user's row, so that the default and the limit stay consistent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.exc import IntegrityError

from speakr.db import db
from speakr.domain.caps import CAPS, Noun
from speakr.domain.errors import Conflict, Invalid, NotFound
from speakr.domain.permissions import Actor
from speakr.domain.templates import TemplateKind
from speakr.exports import text
from speakr.exports.placeholders import names_in
from speakr.models import Template
from speakr.services import caps
from speakr.services.accounts import users

MAX_LENGTHS: Mapping[TemplateKind, int] = {
    TemplateKind.TRANSCRIPT: 2_000,
    TemplateKind.NAMING: 500,
    TemplateKind.EXPORT: 20_000,
}
"""Maximum length of a body in characters. A transcript template is repeated for each of thousands of segments."""
MAX_PLACEHOLDERS = 50

_T: Any = Template.__table__.c
# Built once, because every read of a transcript runs it.
_DEFAULT = select(_T.body).where(
    _T.user_id == bindparam("user_id"), _T.kind == bindparam("kind"), _T.is_default
)


def list_for(actor: Actor, kind: TemplateKind | None = None) -> Sequence[Template]:
    """List the actor's templates by name, optionally of one kind."""
    query = select(Template).where(Template.user_id == actor.user_id)
    if kind is not None:
        query = query.where(Template.kind == kind)
    return db.session.scalars(query.order_by(Template.kind, func.lower(Template.name), Template.id)).all()


def get(actor: Actor, template_id: int, kind: TemplateKind | None = None) -> Template:
    """Load one of the actor's templates, optionally only of one kind."""
    template = db.session.scalar(
        select(Template)
        .where(Template.id == template_id, Template.user_id == actor.user_id)
        .execution_options(populate_existing=True)
    )
    if template is None or kind not in {None, template.kind}:
        raise NotFound("Template not found")
    return template


def create(actor: Actor, *, kind: TemplateKind, name: str, body: str, is_default: bool) -> Template:
    """Create a template, optionally as the default of its kind."""
    users.held(actor.user_id)
    if not caps.has_room(Noun.TEMPLATES, select(Template.id).where(Template.user_id == actor.user_id)):
        raise Conflict(f"You already have {CAPS[Noun.TEMPLATES]} templates.", code="template_cap")
    template = Template(user_id=actor.user_id, kind=kind)
    _put(template, {"name": name, "body": body})
    if is_default:
        _make_default(template)
    return template


def change(actor: Actor, template_id: int, changes: Mapping[str, Any]) -> Template:
    """Change a template, or whether it is the default of its kind."""
    users.held(actor.user_id)
    template = get(actor, template_id)
    _put(template, changes)
    if changes.get("is_default"):
        _make_default(template)
    elif "is_default" in changes:
        template.is_default = False
    return template


def make_default(actor: Actor, template_id: int) -> Template:
    """Make a template the default of its kind."""
    return change(actor, template_id, {"is_default": True})


def delete(actor: Actor, template_id: int) -> None:
    """Delete a template. Tags and folders that use it then use none."""
    users.held(actor.user_id)
    db.session.delete(get(actor, template_id))


def _put(template: Template, changes: Mapping[str, Any]) -> None:
    errors: dict[str, list[str]] = {}
    if not changes.get("name", "x").strip():
        errors["name"] = ["must not be empty"]
    wrong = _error_in(template.kind, changes["body"]) if "body" in changes else None
    if wrong is not None:
        errors["body"] = [wrong]
    if errors:
        raise Invalid("; ".join(f"{name} {texts[0]}" for name, texts in errors.items()), errors=errors)
    try:
        with db.session.begin_nested():
            if "name" in changes:
                template.name = changes["name"].strip()
            if "body" in changes:
                template.body = changes["body"]
            db.session.add(template)
    except IntegrityError:
        raise Invalid(
            "A template of this kind with this name already exists.",
            code="name_taken",
            errors={"name": ["is in use"]},
        ) from None


def _error_in(kind: TemplateKind, body: str) -> str | None:
    if not body.strip():
        return "must not be empty"
    if len(body) > MAX_LENGTHS[kind]:
        return f"has at most {MAX_LENGTHS[kind]} characters in a {kind} template"
    if len(names_in(body)) > MAX_PLACEHOLDERS:
        return f"has at most {MAX_PLACEHOLDERS} placeholders"
    return None


def _make_default(template: Template) -> None:
    db.session.execute(
        update(Template)
        .where(
            Template.user_id == template.user_id,
            Template.kind == template.kind,
            Template.id != template.id,
            Template.is_default,
        )
        .values(is_default=False)
    )
    template.is_default = True


def default_body(user_id: int, kind: TemplateKind) -> str | None:
    """Return the body of a user's default template of a kind; None if there is none."""
    asked = {"user_id": user_id, "kind": kind}
    body: str | None = db.session.connection().execute(_DEFAULT, asked).scalar()
    return body


def transcript_template(actor: Actor) -> text.LineTemplate:
    """Return the template by which transcripts are rendered for the actor."""
    body = default_body(actor.user_id, TemplateKind.TRANSCRIPT)
    return text.DEFAULT if body is None else text.compiled(body)
