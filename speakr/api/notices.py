"""Notices from the server to a user."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView

from speakr.api.blueprint import noun
from speakr.api.idempotent import idempotent
from speakr.api.schemas.notices import NoticeListOut, NoticeListQuery, NoticeOut
from speakr.db import unit_of_work
from speakr.domain.permissions import Scope
from speakr.services.accounts import notices
from speakr.web.identity import actor, needs
from speakr.web.rate_limits import RateClass

blp = noun("notices", "Notices from the server")


@blp.route("/notices")
class Notices(MethodView):
    """All notices."""

    @needs(Scope.READ, RateClass.GET)
    @blp.doc(operationId="listNotices")
    @blp.arguments(NoticeListQuery, location="query")
    @blp.response(200, NoticeListOut)
    def get(self, query: dict[str, Any]) -> Any:
        """List your notices: unread ones first, then newest first."""
        return {
            "notices": notices.list_for(actor(), query["limit"]),
            "unread_count": notices.unread_count(actor()),
            "limit": query["limit"],
        }


@blp.route("/notices/<id:notice_id>/read")
class ReadNotice(MethodView):
    """A notice that is read."""

    @needs(Scope.WRITE, RateClass.WRITE)
    @idempotent
    @blp.doc(operationId="readNotice")
    @blp.response(200, NoticeOut)
    def post(self, notice_id: int) -> Any:
        """Mark a notice as read."""
        with unit_of_work():
            return notices.mark_read(actor(), notice_id)
