"""Uploading a file that the server fetches itself, from its URL."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from speakr.client.errors import ApiError, TookTooLong
from speakr.client.transport import Json, Transport

_FIRST_LOOK_SECONDS = 0.5
_MAX_LOOK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class RemoteUpload:
    """One file on another server, on its way to a Speakr server."""

    transport: Transport
    sleep: Callable[[float], None] = time.sleep
    timeout: float | None = None
    on_state: Callable[[Json], None] | None = None

    def run(self, body: Mapping[str, Any], idempotency_key: str | None = None) -> Json:
        """Open the upload, wait until the server has the file, and return the recording.

        Raises:
            ApiError: the server refuses, or could not fetch the file: `code` says why.
            TookTooLong: it has no file after `timeout` seconds; it goes on.

        """
        given = {name: value for name, value in body.items() if value not in (None, (), [])}
        state = self.transport.ask(
            "POST", "/recordings/from-url", json=given, idempotency_key=idempotency_key
        )
        deadline = None if self.timeout is None else time.monotonic() + self.timeout
        pause = _FIRST_LOOK_SECONDS
        while state["state"] not in {"completed", "failed"}:
            if deadline is not None and time.monotonic() + pause > deadline:
                raise TookTooLong(f"Upload {state['id']} is still {state['state']} after {self.timeout:g} s.")
            self.sleep(pause)
            pause = min(pause * 1.5, _MAX_LOOK_SECONDS)
            state = self.transport.ask("GET", f"/uploads/{state['id']}")
            if self.on_state is not None:
                self.on_state(state)
        if state["state"] == "failed":
            error = state["error"] or {}
            raise ApiError(
                400, error.get("code", "invalid"), error.get("error", "The file could not be fetched.")
            )
        return self.transport.ask("GET", f"/recordings/{state['recording_id']}", params={"format": "minimal"})
