"""Call a view again after a conflict of its transaction with a concurrent one."""

from __future__ import annotations

import structlog
from flask import Flask, request
from flask.typing import ResponseReturnValue

from speakr import conflicts
from speakr.domain.errors import ConflictingWrites

logger = structlog.get_logger(__name__)

_RETRY_AFTER_SECONDS = 1


def init_app(app: Flask) -> None:
    """Repeat views that have committed nothing. A view whose conflict remains is answered with 503."""
    dispatch = app.dispatch_request

    def dispatch_request() -> ResponseReturnValue:
        try:
            return conflicts.repeat(dispatch, may_repeat=is_body_kept)
        except Exception as error:
            kind = conflicts.kind_of(error)
            if kind is None:
                raise
            logger.exception("conflict_remains", kind=kind)
            raise ConflictingWrites(
                "Another request changed the same data at the same moment. Send the request again.",
                retry_after_seconds=_RETRY_AFTER_SECONDS,
            ) from error

    app.dispatch_request = dispatch_request  # type: ignore[method-assign] # the one place all views pass through


def is_body_kept() -> bool:
    """Tell whether the view can read the body of the request again: there is none, or it was kept in memory."""
    has_body = bool(request.content_length) or "Transfer-Encoding" in request.headers
    return not has_body or hasattr(request, "_cached_data")
