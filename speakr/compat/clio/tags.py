"""Clio's tags: those of the user and of the user's groups."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView

from speakr.compat.clio.noun import USER_RATE, noun
from speakr.compat.clio.schemas_notes import TagIn, TagOut, TagUpdateIn
from speakr.db import unit_of_work
from speakr.domain.permissions import Scope
from speakr.services.recordings import tags
from speakr.web.identity import actor, needs

blp = noun("tags", "Labels for notes")


@blp.route("/tags/")
class Tags(MethodView):
    """All tags that a user may put on notes."""

    @needs(Scope.READ, USER_RATE)
    @blp.doc(operationId="clioListTags")
    @blp.response(200, TagOut(many=True))
    def get(self) -> Any:
        """List by name the tags that the user may put on notes, as a bare array."""
        found = [tag for tag, _ in tags.list_page(actor()).items]
        return sorted(found, key=lambda tag: (tag.name.casefold(), tag.id))

    @needs(Scope.WRITE, USER_RATE)
    @blp.doc(operationId="clioCreateTag")
    @blp.arguments(TagIn)
    @blp.response(201, TagOut)
    def post(self, values: dict[str, Any]) -> Any:
        """Create a tag."""
        with unit_of_work():
            return tags.create(actor(), values)


@blp.route("/tags/<id:tag_id>/")
class Tag(MethodView):
    """One tag."""

    @needs(Scope.READ, USER_RATE)
    @blp.doc(operationId="clioGetTag")
    @blp.response(200, TagOut)
    def get(self, tag_id: int) -> Any:
        """Return a tag."""
        return tags.look_at(actor(), tag_id)[0]

    @needs(Scope.WRITE, USER_RATE)
    @blp.doc(operationId="clioReplaceTag")
    @blp.arguments(TagIn)
    @blp.response(200, TagOut)
    def put(self, values: dict[str, Any], tag_id: int) -> Any:
        """Change name and color."""
        with unit_of_work():
            return tags.update(actor(), tag_id, values)

    @needs(Scope.WRITE, USER_RATE)
    @blp.doc(operationId="clioUpdateTag")
    @blp.arguments(TagUpdateIn)
    @blp.response(200, TagOut)
    def patch(self, values: dict[str, Any], tag_id: int) -> Any:
        """Change name or color."""
        with unit_of_work():
            return tags.update(actor(), tag_id, values)

    @needs(Scope.WRITE, USER_RATE)
    @blp.doc(operationId="clioDeleteTag")
    @blp.response(204)
    def delete(self, tag_id: int) -> None:
        """Delete a tag; its notes stay, without it."""
        with unit_of_work():
            tags.delete(actor(), tag_id)
