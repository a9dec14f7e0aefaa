"""Tags, and tags on recordings."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView

from speakr.api.blueprint import noun
from speakr.api.idempotent import idempotent
from speakr.api.schemas.common import SuccessOut
from speakr.api.schemas.pages import PageQuery
from speakr.api.schemas.tags import (
    TagIn,
    TagListOut,
    TagOut,
    TagsAddedOut,
    TagsAddIn,
    TagsReplacedOut,
    TagsReplaceIn,
    TagUpdatedOut,
    TagUpdateIn,
)
from speakr.db import unit_of_work
from speakr.domain.permissions import Scope
from speakr.services.recordings import filing, listing, tagging, tags
from speakr.web.identity import actor, needs
from speakr.web.pages import paged, window_of
from speakr.web.rate_limits import RateClass

blp = noun("tags", "Labels for recordings, with defaults for what has them")


def _shown(tag: Any, *, can_edit: bool) -> dict[str, Any]:
    columns = {name: getattr(tag, name) for name in ("id", "group_id", *filing.COLUMNS)}
    return {**columns, "is_group_tag": tag.group_id is not None, "can_edit": can_edit}


@blp.route("/tags")
class Tags(MethodView):
    """All tags that a user may add to recordings."""

    @needs(Scope.READ, RateClass.GET)
    @blp.doc(operationId="listTags")
    @blp.arguments(PageQuery, location="query")
    @blp.response(200, TagListOut)
    def get(self, query: dict[str, Any]) -> Any:
        """List your own tags, then those of your groups."""
        found = tags.list_page(actor(), window_of(query))
        return paged("tags", found.map(lambda each: _shown(each[0], can_edit=each[1])), query)

    @needs(Scope.WRITE, RateClass.WRITE)
    @idempotent
    @blp.doc(operationId="createTag")
    @blp.arguments(TagIn)
    @blp.response(201, TagOut)
    def post(self, values: dict[str, Any]) -> Any:
        """Create a tag; with `group_id`, one of a group, for its admins."""
        with unit_of_work():
            return _shown(tags.create(actor(), values), can_edit=True)


@blp.route("/tags/<id:tag_id>")
class Tag(MethodView):
    """One tag."""

    @needs(Scope.READ, RateClass.GET)
    @blp.doc(operationId="getTag")
    @blp.response(200, TagOut)
    def get(self, tag_id: int) -> Any:
        """Return a tag."""
        tag, can_edit = tags.look_at(actor(), tag_id)
        return _shown(tag, can_edit=can_edit)

    @needs(Scope.WRITE, RateClass.WRITE)
    @blp.doc(operationId="updateTag")
    @blp.arguments(TagUpdateIn, required=False)
    @blp.response(200, TagUpdatedOut)
    def put(self, values: dict[str, Any], tag_id: int) -> Any:
        """Change some fields of a tag."""
        with unit_of_work():
            return {"success": True, "tag": _shown(tags.update(actor(), tag_id, values), can_edit=True)}

    @needs(Scope.WRITE, RateClass.WRITE)
    @blp.doc(operationId="patchTag")
    @blp.arguments(TagUpdateIn, required=False)
    @blp.response(200, TagUpdatedOut)
    def patch(self, values: dict[str, Any], tag_id: int) -> Any:
        """Change some fields of a tag (the same as PUT)."""
        with unit_of_work():
            return {"success": True, "tag": _shown(tags.update(actor(), tag_id, values), can_edit=True)}

    @needs(Scope.WRITE, RateClass.WRITE)
    @blp.doc(operationId="deleteTag")
    @blp.response(200, SuccessOut)
    def delete(self, tag_id: int) -> Any:
        """Delete a tag; its recordings stay, without it."""
        with unit_of_work():
            tags.delete(actor(), tag_id)
        return {"success": True, "message": "Tag deleted"}


@blp.route("/recordings/<id:recording_id>/tags")
class RecordingTags(MethodView):
    """The tags of one recording."""

    @needs(Scope.WRITE, RateClass.WRITE)
    @idempotent
    @blp.doc(operationId="addTags")
    @blp.arguments(TagsAddIn)
    @blp.response(200, TagsAddedOut)
    def post(self, body: dict[str, Any], recording_id: int) -> Any:
        """Add tags to a recording, by id or by name; `errors` names those that were not added."""
        ids = body.get("tag_ids") or ([body["tag_id"]] if "tag_id" in body else [])
        with unit_of_work():
            done = tagging.add(actor(), recording_id, ids, body.get("tags") or [])
            added = [{"id": tag.id, "name": tag.name} for tag in done.added]
        return {"success": True, "added_tags": added, "errors": list(done.problems) or None}

    @needs(Scope.WRITE, RateClass.WRITE)
    @blp.doc(operationId="replaceTags")
    @blp.arguments(TagsReplaceIn)
    @blp.response(200, TagsReplacedOut)
    def put(self, body: dict[str, Any], recording_id: int) -> Any:
        """Let a recording have these tags and no others; an empty list removes all."""
        with unit_of_work():
            tagging.replace(actor(), recording_id, body["tag_ids"])
            return {"success": True, "tags": listing.tags_of([recording_id])[recording_id]}


@blp.route("/recordings/<id:recording_id>/tags/<id:tag_id>")
class RecordingTag(MethodView):
    """A tag on a recording."""

    @needs(Scope.WRITE, RateClass.WRITE)
    @blp.doc(operationId="removeTag")
    @blp.response(200, SuccessOut)
    def delete(self, recording_id: int, tag_id: int) -> Any:
        """Remove a tag from a recording."""
        with unit_of_work():
            tagging.remove(actor(), recording_id, tag_id)
        return {"success": True, "message": "Tag removed"}
