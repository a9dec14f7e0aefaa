"""The routes of tags, for API families whose tags are bare objects: list, create, read, replace, change, delete."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from marshmallow import Schema

from speakr.db import unit_of_work
from speakr.domain.permissions import Scope
from speakr.services.recordings import tags
from speakr.web.described import Blueprint
from speakr.web.identity import actor, needs


@dataclass(frozen=True, slots=True, kw_only=True)
class TagRoutes:
    """What differs between families."""

    rate: str
    """Rate class of all routes."""
    created: type[Schema]
    """Fields of a new tag; PUT takes them too."""
    changed: type[Schema]
    shown: type[Schema]

    def add(self, blp: Blueprint) -> None:
        """Add the routes below `/tags/` to a blueprint."""
        self._add_list(blp)
        self._add_item(blp)

    def _add_list(self, blp: Blueprint) -> None:
        read, write = needs(Scope.READ, self.rate), needs(Scope.WRITE, self.rate)

        @blp.operation("GET /tags/", read, gives=self.shown(many=True))
        def list_tags() -> Any:
            """List by name the tags that the user may use, as a bare array."""
            found = [tag for tag, _ in tags.list_page(actor()).items]
            return sorted(found, key=lambda tag: (tag.name.casefold(), tag.id))

        @blp.operation("POST /tags/", write, takes=self.created, gives=self.shown, status=201)
        def create_tag(values: dict[str, Any]) -> Any:
            """Create a tag."""
            with unit_of_work():
                return tags.create(actor(), values)

    def _add_item(self, blp: Blueprint) -> None:
        read, write = needs(Scope.READ, self.rate), needs(Scope.WRITE, self.rate)
        path = "/tags/<id:tag_id>/"

        @blp.operation(f"GET {path}", read, gives=self.shown)
        def get_tag(tag_id: int) -> Any:
            """Return a tag."""
            return tags.look_at(actor(), tag_id)[0]

        @blp.operation(f"PUT {path}", write, takes=self.created, gives=self.shown)
        def replace_tag(values: dict[str, Any], tag_id: int) -> Any:
            """Change name and color."""
            with unit_of_work():
                return tags.update(actor(), tag_id, values)

        @blp.operation(f"PATCH {path}", write, takes=self.changed, gives=self.shown)
        def update_tag(values: dict[str, Any], tag_id: int) -> Any:
            """Change name or color."""
            with unit_of_work():
                return tags.update(actor(), tag_id, values)

        @blp.operation(f"DELETE {path}", write, status=204)
        def delete_tag(tag_id: int) -> None:
            """Delete a tag; what had it stays, without it."""
            with unit_of_work():
                tags.delete(actor(), tag_id)
