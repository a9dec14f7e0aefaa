"""A WebSocket client."""

from __future__ import annotations

from typing import Any

from simple_websocket import Client


class WholeClient(Client):  # type: ignore[misc] # it has no types
    """Reads frames that arrive together with the response to the handshake, and closes its socket if it is refused."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        try:
            super().__init__(*arguments, **options)
        except BaseException:
            if (connection := getattr(self, "sock", None)) is not None:
                connection.close()
            raise

    def handshake(self) -> None:
        """Shake hands, and keep what follows at once."""
        super().handshake()
        self._handle_events()
        self.connected = True  # the thread notices the end of the connection
