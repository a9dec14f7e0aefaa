"""`X-HTTP-Method-Override`, which tus requires for clients behind proxies that pass GET and POST only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PATHS = "/api/v1/uploads/"
METHODS = frozenset({"PATCH", "DELETE", "HEAD"})


class MethodOverride:
    """WSGI middleware: treats a POST below `PATHS` that names another method as that method."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve a request."""
        method = environ.get("HTTP_X_HTTP_METHOD_OVERRIDE", "").upper()
        if (
            method in METHODS
            and environ["REQUEST_METHOD"] == "POST"
            and environ.get("PATH_INFO", "").startswith(PATHS)
        ):
            environ["REQUEST_METHOD"] = method
        return self._app(environ, start_response)
