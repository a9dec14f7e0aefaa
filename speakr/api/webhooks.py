"""Webhooks; `deliveries.py` has their deliveries."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView

from speakr.api.blueprint import noun
from speakr.api.idempotent import idempotent
from speakr.api.schemas.deliveries import DeliveryOut
from speakr.api.schemas.pages import PageQuery
from speakr.api.schemas.webhooks import (
    SampleOut,
    SampleQuery,
    WebhookCreateIn,
    WebhookListOut,
    WebhookOut,
    WebhookSecretOut,
    WebhookUpdateIn,
)
from speakr.db import release, unit_of_work
from speakr.domain.events import EventType
from speakr.domain.permissions import Scope
from speakr.domain.signatures import standard_secret
from speakr.domain.webhooks import PayloadStyle
from speakr.services.system import system_settings
from speakr.services.webhooks import webhooks
from speakr.services.webhooks.deliveries import samples
from speakr.web.identity import actor, needs
from speakr.web.json import json_response
from speakr.web.pages import paged, window_of
from speakr.web.rate_limits import RateClass

blp = noun("webhooks", "Addresses that receive signed events")


def _with_secret(webhook: Any, secret: str, status: int) -> Response:
    shown: dict[str, Any] = WebhookOut().dump(webhook)
    return json_response({**shown, "secret": secret, "secret_standard": standard_secret(secret)}, status)


@blp.route("/webhooks")
class Webhooks(MethodView):
    """All of a user's webhooks."""

    @needs(Scope.WEBHOOKS, RateClass.GET)
    @blp.doc(operationId="listWebhooks")
    @blp.arguments(PageQuery, location="query")
    @blp.response(200, WebhookListOut)
    def get(self, query: dict[str, Any]) -> Any:
        """List your webhooks, newest first, and the types of events."""
        body, status, headers = paged("webhooks", webhooks.list_page(actor(), window_of(query)), query)
        body["event_types"] = [event.value for event in EventType]
        body["max_per_user"] = system_settings.get("webhook_max_per_user")
        return body, status, headers

    @needs(Scope.WEBHOOKS, RateClass.WRITE)
    @idempotent
    @blp.doc(operationId="createWebhook")
    @blp.arguments(WebhookCreateIn)
    @blp.response(201, WebhookSecretOut)
    def post(self, form: dict[str, Any]) -> Any:
        """Create a webhook. Only this response contains its secret."""
        webhooks.check_form(form)
        webhooks.check_target(actor(), webhooks.trimmed(form["url"]), allow_http=form["allow_http"])
        with unit_of_work():
            webhook, secret = webhooks.create(actor(), **form)
        return _with_secret(webhook, secret, 201)


@blp.route("/webhooks/<id:webhook_id>")
class Webhook(MethodView):
    """One webhook."""

    @needs(Scope.WEBHOOKS, RateClass.GET)
    @blp.doc(operationId="getWebhook")
    @blp.response(200, WebhookOut)
    def get(self, webhook_id: int) -> Any:
        """Return a webhook."""
        return webhooks.get(actor(), webhook_id)

    @needs(Scope.WEBHOOKS, RateClass.WRITE)
    @blp.doc(operationId="updateWebhook")
    @blp.arguments(WebhookUpdateIn, required=False)
    @blp.response(200, WebhookOut)
    def patch(self, changes: dict[str, Any], webhook_id: int) -> Any:
        """Change some fields; `enabled: true` also ends an automatic pause and sends the deliveries that it held back."""
        known = webhooks.get(actor(), webhook_id)
        if "url" in changes or "allow_http" in changes:
            url, allow_http = changes.get("url", known.url), changes.get("allow_http", known.allow_http)
            release()  # host names are resolved now
            webhooks.check_target(actor(), webhooks.trimmed(url), allow_http=allow_http)
        return webhooks.change(actor(), webhook_id, changes)

    @needs(Scope.WEBHOOKS, RateClass.WRITE)
    @blp.doc(operationId="deleteWebhook")
    @blp.response(204)
    def delete(self, webhook_id: int) -> None:
        """Delete a webhook with its deliveries."""
        with unit_of_work():
            webhooks.delete(actor(), webhook_id)


@blp.route("/webhooks/<id:webhook_id>/rotate-secret")
class RotateSecret(MethodView):
    """A new secret."""

    @needs(Scope.WEBHOOKS, RateClass.WRITE)
    @idempotent
    @blp.doc(operationId="rotateWebhookSecret")
    @blp.response(200, WebhookSecretOut)
    def post(self, webhook_id: int) -> Any:
        """Create a new secret; only this response contains it. For a day deliveries are signed with the old one too."""
        with unit_of_work():
            webhook, secret = webhooks.rotate_secret(actor(), webhook_id)
        return _with_secret(webhook, secret, 200)


@blp.route("/webhooks/<id:webhook_id>/test")
class TestWebhook(MethodView):
    """A test delivery."""

    @needs(Scope.WEBHOOKS, RateClass.WRITE)
    @idempotent
    @blp.doc(operationId="testWebhook")
    @blp.response(202, DeliveryOut)
    def post(self, webhook_id: int) -> Any:
        """Send a `webhook.test` event to this webhook only."""
        with unit_of_work():
            return webhooks.send_test(actor(), webhook_id)


@blp.route("/webhooks/sample")
class Sample(MethodView):
    """An example."""

    @needs(Scope.WEBHOOKS, RateClass.GET)
    @blp.doc(operationId="getSampleDelivery")
    @blp.arguments(SampleQuery, location="query")
    @blp.response(200, SampleOut)
    def get(self, query: dict[str, Any]) -> Any:
        """Return an example of a delivery, signed with a secret that is shown, to test a receiver."""
        return samples.make(actor(), query["event"], PayloadStyle(query["payload"]))
