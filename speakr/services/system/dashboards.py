"""Configuration for dashboards that read this server's statistics."""

from __future__ import annotations

from speakr.exports import homepage

MEDIA_TYPE = homepage.MEDIA_TYPE


def homepage_services(base_url: str) -> str:
    """Return a `services.yaml` for gethomepage that reads the server at `base_url`."""
    return homepage.services(base_url)
