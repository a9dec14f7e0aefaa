"""A gunicorn worker with few connections and little patience. Only gunicorn imports it: it changes what others wait."""

from __future__ import annotations

from typing import Any

from speakr.web import connection_limit, connections, gunicorn_worker
from tests.operations.tiny_app import MOST

connection_limit.MAX_WAIT_SECONDS = 0.5
connection_limit.WRITE_STALL_SECONDS_WHEN_FULL = connections.WRITE_STALL_SECONDS = 0.5


class Worker(gunicorn_worker.Worker):
    """See above."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._connections = connection_limit.Connections(MOST)
