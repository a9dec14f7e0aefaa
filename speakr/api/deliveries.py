"""Deliveries of a webhook: list, send again, cancel."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView

from speakr.api.blueprint import noun
from speakr.api.idempotent import idempotent
from speakr.api.schemas.deliveries import (
    CancelIn,
    CancelledOut,
    DeliveryDetailOut,
    DeliveryListOut,
    DeliveryListQuery,
    DeliveryOut,
    RecoveredOut,
    RecoverIn,
)
from speakr.api.schemas.fields import MAX_LIMIT
from speakr.db import unit_of_work
from speakr.domain.permissions import Scope
from speakr.services.webhooks.deliveries import history, recovery
from speakr.web.identity import actor, needs
from speakr.web.rate_limits import RateClass

blp = noun("deliveries", "What was sent to webhooks")

_DEFAULT_LIMIT = 50


@blp.route("/webhooks/<id:webhook_id>/deliveries")
class Deliveries(MethodView):
    """The deliveries of a webhook."""

    @needs(Scope.WEBHOOKS, RateClass.GET)
    @blp.doc(operationId="listDeliveries")
    @blp.arguments(DeliveryListQuery, location="query")
    @blp.response(200, DeliveryListOut)
    def get(self, query: dict[str, Any], webhook_id: int) -> Any:
        """List a webhook's deliveries, newest first. For the next page, set `before` to the id of the last one."""
        limit = _limit(query.pop("limit"))
        return {"deliveries": history.list_for(actor(), webhook_id, limit=limit, **query), "limit": limit}


def _limit(text: str) -> int:
    try:
        return min(max(int(text), 1), MAX_LIMIT)
    except ValueError:
        return _DEFAULT_LIMIT


@blp.route("/webhooks/<id:webhook_id>/deliveries/<id:delivery_id>")
class Delivery(MethodView):
    """One delivery."""

    @needs(Scope.WEBHOOKS, RateClass.GET)
    @blp.doc(operationId="getDelivery")
    @blp.response(200, DeliveryDetailOut)
    def get(self, webhook_id: int, delivery_id: int) -> Any:
        """Return a delivery with the body that was sent."""
        return history.get(actor(), webhook_id, delivery_id)


@blp.route("/webhooks/<id:webhook_id>/deliveries/<id:delivery_id>/replay")
class ReplayDelivery(MethodView):
    """One event sent again."""

    @needs(Scope.WEBHOOKS, RateClass.WRITE)
    @idempotent
    @blp.doc(operationId="replayDelivery")
    @blp.response(202, DeliveryOut)
    def post(self, webhook_id: int, delivery_id: int) -> Any:
        """Send the event of an old delivery again, under a new id that names the old one."""
        with unit_of_work():
            return history.replay(actor(), webhook_id, delivery_id)


@blp.route("/webhooks/<id:webhook_id>/deliveries/<id:delivery_id>/cancel")
class CancelDelivery(MethodView):
    """Cancellation of one delivery."""

    @needs(Scope.WEBHOOKS, RateClass.WRITE)
    @idempotent
    @blp.doc(operationId="cancelDelivery")
    @blp.response(200, DeliveryOut)
    def post(self, webhook_id: int, delivery_id: int) -> Any:
        """Cancel a waiting delivery; one that is being sent may still arrive."""
        with unit_of_work():
            return recovery.cancel(actor(), webhook_id, delivery_id)


@blp.route("/webhooks/<id:webhook_id>/cancel")
class CancelDeliveries(MethodView):
    """Cancellation of many deliveries."""

    @needs(Scope.WEBHOOKS, RateClass.WRITE)
    @idempotent
    @blp.doc(operationId="cancelDeliveries")
    @blp.arguments(CancelIn, required=False)
    @blp.response(200, CancelledOut)
    def post(self, body: dict[str, Any], webhook_id: int) -> Any:
        """Cancel all waiting deliveries of a webhook, or only those of some types of events."""
        return {"cancelled": recovery.cancel_all(actor(), webhook_id, body["event_types"])}


@blp.route("/webhooks/<id:webhook_id>/recover")
class Recover(MethodView):
    """Failed deliveries sent again."""

    @needs(Scope.WEBHOOKS, RateClass.WRITE)
    @idempotent
    @blp.doc(operationId="recoverDeliveries")
    @blp.arguments(RecoverIn)
    @blp.response(202, RecoveredOut)
    def post(self, body: dict[str, Any], webhook_id: int) -> Any:
        """Replay the deliveries that have failed since a time, each once however often you ask; at most 10,000 at once."""
        return recovery.recover(
            actor(),
            webhook_id,
            since=body["since"],
            statuses=body["status"],
            event_types=body["event_types"],
        )
