"""AudioScribe as an API family: API tokens of Speakr, and failures as `{"detail": ...}`."""

from __future__ import annotations

from flask import Response

from speakr.compat.audioscribe.routes import blp
from speakr.compat.audioscribe.schemas import SESSION_KEYS, document
from speakr.domain.webhooks import AccountWebhook
from speakr.web.authenticators.api_token import ApiToken
from speakr.web.documents import Documents
from speakr.web.failures import Failure
from speakr.web.families import ApiFamily
from speakr.web.json import json_response


def render(failure: Failure) -> Response:
    """Write a failure as an object with one sentence."""
    return json_response({"detail": failure.message}, failure.status)


FAMILY = ApiFamily(
    name="audioscribe",
    prefix="/api/v1/audioscribe",
    blueprints=(blp,),
    authenticators=(ApiToken(),),
    render=render,
    account_webhook=AccountWebhook(preference="audioscribe_webhook_url", keys=SESSION_KEYS),
    documents=Documents(build=document, page=None),
    credential_hint="A token is required: send it as 'Authorization: Bearer <token>'.",
)
