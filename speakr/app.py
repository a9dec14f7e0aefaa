"""Build the app: the only wiring of settings, backends, database and API."""

from __future__ import annotations

from collections.abc import Sequence
from pkgutil import resolve_name

import structlog
from flask import Flask

from speakr import db, private_files
from speakr.backends import Backends, connect, set_backends
from speakr.settings import Settings
from speakr.telemetry import logging

logger = structlog.get_logger(__name__)

FAMILIES = (
    "speakr.api.family:FAMILY",
    "speakr.compat.audioscribe.family:FAMILY",
    "speakr.compat.clio.family:FAMILY",
    "speakr.compat.saled.family:FAMILY",
    "speakr.compat.openai.family:FAMILY",
    "speakr.compat.asr_webservice.family:FAMILY",
)
"""The APIs of the web process, the native one first. Imported only there."""


def create_core_app(settings: Settings | None = None, backends: Backends | None = None) -> Flask:
    """Build the app without its API: all that jobs, the dispatcher and operators need.

    Without arguments everything comes from the environment.
    """
    settings = settings or Settings.from_env()
    backends = backends or connect(settings)
    logging.configure(settings.log_level, settings.log_format)
    tightened = private_files.tighten(settings.data_dir, settings.resolved_database_url)
    if tightened:
        logger.warning("files_made_private", paths=[str(path) for path in tightened])
    set_backends(backends)
    app = Flask("speakr", static_folder=None)
    db.init_app(app, settings.resolved_database_url)
    return app


def create_app(
    settings: Settings | None = None, backends: Backends | None = None, families: Sequence[str] = FAMILIES
) -> Flask:
    """Build the app with its APIs, for the web process."""
    # Imported here: they take 10 MB, which workers and the dispatcher do not need.
    from speakr.web import families as api_families  # noqa: PLC0415
    from speakr.web import rate_limits, requests  # noqa: PLC0415
    from speakr.web.forwarded import TrustedProxies  # noqa: PLC0415
    from speakr.web.json import OrjsonProvider  # noqa: PLC0415

    settings = settings or Settings.from_env()
    app = create_core_app(settings, backends)
    app.json = OrjsonProvider(app)
    if settings.trusted_proxy_count:
        app.wsgi_app = TrustedProxies(app.wsgi_app, settings.trusted_proxy_count)  # type: ignore[method-assign] # Flask's documented way
    requests.init_app(app)
    api_families.init_app(app, [resolve_name(path) for path in families], settings)
    rate_limits.init_app(app, settings)
    return app
