"""The native API: one module per noun; its schemas are in `schemas/`."""

from __future__ import annotations

from flask import Flask

from speakr import __version__
from speakr.api import (
    accounts,
    audio,
    auth,
    batch,
    calendar_events,
    chat,
    clips,
    dashboards,
    deliveries,
    email_verification,
    engines,
    events,
    fetches,
    folders,
    groups,
    insights,
    jobs,
    merging,
    notices,
    posted_summaries,
    recordings,
    resumable_uploads,
    retention,
    retranscription,
    search,
    shares,
    signed_uploads,
    speakers,
    system,
    system_settings,
    tags,
    templates,
    tokens,
    transcript_history,
    transcript_replacing,
    transcript_segments,
    transcripts,
    uploads,
    users,
    webhooks,
)
from speakr.api.blueprint import Api
from speakr.web.authenticators import jwt_pair

BLUEPRINTS = (
    uploads.blp,
    resumable_uploads.blp,
    fetches.blp,
    signed_uploads.blp,
    recordings.blp,
    search.blp,
    batch.blp,
    tags.blp,
    folders.blp,
    transcripts.blp,
    transcript_segments.blp,
    retranscription.blp,
    transcript_history.blp,
    transcript_replacing.blp,
    merging.blp,
    audio.blp,
    calendar_events.blp,
    jobs.blp,
    insights.blp,
    engines.blp,
    clips.blp,
    chat.blp,
    posted_summaries.blp,
    speakers.blp,
    webhooks.blp,
    deliveries.blp,
    events.blp,
    notices.blp,
    auth.blp,
    users.blp,
    email_verification.blp,
    dashboards.blp,
    groups.blp,
    shares.blp,
    accounts.blp,
    system_settings.blp,
    retention.blp,
    templates.blp,
    tokens.blp,
    tokens.blp_outside,
)

_DESCRIPTION = """Upload recordings and get transcripts, summaries and notes.
Send a token with every request: `Authorization: Bearer <token>` (or `X-API-Token`, `API-Token`; `?token=` for GET).
Every failure is `{"error", "code", "errors"?, "request_id"}`."""


def register(app: Flask) -> None:
    """Register the routes of the native API and their OpenAPI document."""
    app.config.update(
        API_TITLE="Speakr",
        API_VERSION=__version__,
        OPENAPI_VERSION="3.0.3",
        API_SPEC_OPTIONS={
            "servers": [{"url": "/api/v1"}],
            "info": {"description": _DESCRIPTION},
            "components": {
                "securitySchemes": {
                    "bearer": {"type": "http", "scheme": "bearer"},
                    "apiToken": {"type": "apiKey", "in": "header", "name": "X-API-Token"},
                    "basic": {"type": "http", "scheme": "basic"},
                }
            },
        },
    )
    api = Api(app)
    app.extensions["speakr-api"] = api
    jwt_pair.init_app(app)
    for blueprint in BLUEPRINTS:
        api.register_blueprint(blueprint)
    app.register_blueprint(system.blp)
    app.register_blueprint(email_verification.page)
