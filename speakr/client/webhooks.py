"""Webhooks and their deliveries."""

from __future__ import annotations

from collections.abc import Sequence

from speakr.client.asking import Requests
from speakr.client.transport import Json


class Webhooks(Requests):
    """Methods of `Speakr` about webhooks."""

    def webhooks(self) -> list[Json]:
        """List the webhooks."""
        found: list[Json] = self._get("/webhooks")["webhooks"]
        return found

    def create_webhook(self, name: str, url: str, events: Sequence[str], *, allow_http: bool = False) -> Json:
        """Add a webhook; its `secret` is in this answer and in no other."""
        body = {"name": name, "url": url, "events": list(events), "allow_http": allow_http}
        return self._transport.ask("POST", "/webhooks", json=body)

    def delete_webhook(self, webhook_id: int) -> None:
        """Remove a webhook with its deliveries."""
        self._transport.ask("DELETE", f"/webhooks/{webhook_id}")

    def test_webhook(self, webhook_id: int) -> Json:
        """Send a `webhook.test`; return its delivery."""
        return self._transport.ask("POST", f"/webhooks/{webhook_id}/test")

    def rotate_webhook_secret(self, webhook_id: int) -> Json:
        """Give a webhook a new `secret`, which is in this answer and in no other."""
        return self._transport.ask("POST", f"/webhooks/{webhook_id}/rotate-secret")

    def deliveries(self, webhook_id: int, *, limit: int = 50) -> list[Json]:
        """List the deliveries of a webhook, newest first."""
        found: list[Json] = self._get(f"/webhooks/{webhook_id}/deliveries", limit=limit)["deliveries"]
        return found
