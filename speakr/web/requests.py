"""Hooks around every request: id, duration, authentication, rate limit, and headers that all responses share."""

from __future__ import annotations

import re
import time
import uuid

import structlog
from flask import Flask, Response, g, request

from speakr import offload
from speakr.telemetry.metrics import HTTP_REQUESTS, HTTP_SECONDS
from speakr.web import (
    addressing,
    body,
    conditional,
    cors,
    families,
    forwarded,
    identity,
    rate_limits,
    repeats,
)
from speakr.web.body_timeout import BodyReadTimeout
from speakr.web.bounds import MIN_BODY_BYTES
from speakr.web.loop_watch import ROUTE_KEY
from speakr.web.method_override import MethodOverride
from speakr.web.networks import network_of

logger = structlog.get_logger(__name__)

_SANE_ID = re.compile(r"^[A-Za-z0-9._-]{1,64}$")


def _begin() -> None:
    g.started = time.perf_counter()
    request.environ[ROUTE_KEY] = request.url_rule.rule if request.url_rule else "unrouted"
    asked = request.headers.get("X-Request-ID", "")
    g.request_id = asked if _SANE_ID.match(asked) else uuid.uuid4().hex
    body.limit_body()
    offload.caller.set(network_of(request.remote_addr or ""))
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def _answer_preflight() -> Response | None:
    mounted = families.current()
    return cors.answer_preflight(mounted.family.cors, mounted.origins)


def _end(response: Response) -> Response:
    conditional.finish(response)
    seconds = time.perf_counter() - g.get("started", time.perf_counter())
    route = request.url_rule.rule if request.url_rule else "unrouted"
    HTTP_REQUESTS.labels(request.method, route, response.status_code).inc()
    HTTP_SECONDS.labels(route).observe(seconds)
    rate_limits.add_headers(response)
    mounted = families.current()
    cors.add_headers(response, mounted.family.cors, mounted.origins)
    response.headers["X-Request-ID"] = g.get("request_id", "")
    response.headers["X-Process-Time-Ms"] = f"{seconds * 1000:.2f}"
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("X-Robots-Tag", "noindex, nofollow")
    return response


def init_app(app: Flask) -> None:
    """Add the hooks to an app."""
    app.config["MAX_CONTENT_LENGTH"] = MIN_BODY_BYTES
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False  # `//api/v1` is no other spelling of `/api/v1`
    app.wsgi_app = BodyReadTimeout(MethodOverride(app.wsgi_app))  # type: ignore[method-assign] # Flask's documented way
    app.before_request(_begin)
    app.before_request(addressing.require_allowed_host)
    app.before_request(addressing.require_plain_path)
    app.before_request(forwarded.check)
    app.before_request(_answer_preflight)
    app.before_request(identity.admit)
    app.after_request(_end)
    repeats.init_app(app)
