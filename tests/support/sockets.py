"""A WebSocket client."""

from __future__ import annotations

from simple_websocket import Client


class WholeClient(Client):  # type: ignore[misc] # it has no types
    """Reads frames that arrive together with the response to the handshake, which its base class may lose."""

    def handshake(self) -> None:
        """Shake hands, and keep what follows at once."""
        super().handshake()
        self._handle_events()
        self.connected = True  # the thread notices the end of the connection
