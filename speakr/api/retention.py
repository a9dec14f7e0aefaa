"""Retention: list what is due, and remove it."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView

from speakr.api.blueprint import noun
from speakr.api.idempotent import idempotent
from speakr.api.schemas.retention import OwnRetentionOut, RetentionOut, RetentionRunIn
from speakr.domain.permissions import Scope
from speakr.services.recordings import retention
from speakr.web.identity import actor, needs
from speakr.web.rate_limits import RateClass

blp = noun("retention", "How long recordings are kept")


@blp.route("/retention")
class OwnRetention(MethodView):
    """The caller's own recordings."""

    @needs(Scope.READ, RateClass.GET)
    @blp.doc(operationId="previewOwnRetention")
    @blp.response(200, OwnRetentionOut)
    def get(self) -> Any:
        """List your recordings that are due to be removed."""
        return retention.of_actor(actor())


@blp.route("/admin/retention")
class Retention(MethodView):
    """The whole server."""

    @needs(Scope.ADMIN, RateClass.GET)
    @blp.doc(operationId="previewRetention")
    @blp.response(200, RetentionOut)
    def get(self) -> Any:
        """List recordings of the whole server that are due to be removed."""
        return retention.preview(actor())

    @needs(Scope.ADMIN, RateClass.WRITE)
    @idempotent
    @blp.doc(operationId="runRetention")
    @blp.arguments(RetentionRunIn, required=False)
    @blp.response(200, RetentionOut)
    def post(self, body: dict[str, Any]) -> Any:
        """Remove what is due now instead of within ten minutes; by default only list it (`dry_run`)."""
        return retention.preview(actor()) if body["dry_run"] else retention.run_now(actor())
