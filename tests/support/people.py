"""Users who send requests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask.testing import FlaskClient


@dataclass(frozen=True)
class Person:
    """A user with a token, and a client that sends it."""

    id: int
    name: str
    token: str
    client: FlaskClient

    def __getattr__(self, method: str) -> Callable[..., Any]:
        """`alice.get("/api/v1/stats")` and so on, with her token."""
        send = getattr(self.client, method)

        def call(path: str, **kwargs: Any) -> Any:
            headers = {"Authorization": f"Bearer {self.token}", **kwargs.pop("headers", {})}
            # Buffered: read to the end and closed, as a real client would.
            return send(path, headers=headers, buffered=True, **kwargs)

        return call
