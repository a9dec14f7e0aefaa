"""Shares: recordings that users share with each other."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView

from speakr.api.blueprint import noun
from speakr.api.idempotent import idempotent
from speakr.api.schemas.pages import PageQuery
from speakr.api.schemas.shares import ShareCreateIn, ShareListOut, ShareOut, ShareUpdateIn
from speakr.db import unit_of_work
from speakr.domain.permissions import Scope
from speakr.services.accounts import shares
from speakr.web.identity import actor, needs
from speakr.web.pages import paged, window_of
from speakr.web.rate_limits import RateClass

blp = noun("shares", "Recordings shared with other users")


@blp.route("/recordings/<id:recording_id>/shares")
class Shares(MethodView):
    """The users a recording is shared with."""

    @needs(Scope.READ, RateClass.GET)
    @blp.doc(operationId="listShares")
    @blp.arguments(PageQuery, location="query")
    @blp.response(200, ShareListOut)
    def get(self, query: dict[str, Any], recording_id: int) -> Any:
        """List the users a recording is shared with; for its owner."""
        return paged("shares", shares.list_page(actor(), recording_id, window_of(query)), query)

    @needs(Scope.WRITE, RateClass.WRITE)
    @idempotent
    @blp.doc(operationId="shareRecording")
    @blp.arguments(ShareCreateIn)
    @blp.response(201, ShareOut)
    def post(self, form: dict[str, Any], recording_id: int) -> Any:
        """Share a recording with a user; for its owner. Sharing again changes the permissions."""
        with unit_of_work():
            return shares.give(
                actor(),
                recording_id,
                user_id=form.get("user_id"),
                username=form.get("username"),
                can_edit=form["can_edit"],
            )


@blp.route("/recordings/<id:recording_id>/shares/<id:share_id>")
class Share(MethodView):
    """One share."""

    @needs(Scope.WRITE, RateClass.WRITE)
    @blp.doc(operationId="updateShare")
    @blp.arguments(ShareUpdateIn)
    @blp.response(200, ShareOut)
    def patch(self, form: dict[str, Any], recording_id: int, share_id: int) -> Any:
        """Change the permissions of a recipient; for the owner."""
        with unit_of_work():
            return shares.change(actor(), recording_id, share_id, can_edit=form["can_edit"])

    @needs(Scope.WRITE, RateClass.WRITE)
    @blp.doc(operationId="deleteShare")
    @blp.response(204)
    def delete(self, recording_id: int, share_id: int) -> None:
        """End a share; for the owner, and for the recipient."""
        with unit_of_work():
            shares.take_back(actor(), recording_id, share_id)
