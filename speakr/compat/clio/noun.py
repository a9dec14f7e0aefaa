"""What all of Clio's routes share: prefix, rate classes, and the addresses of audio."""

from __future__ import annotations

from typing import Final

from speakr.web.described import Blueprint
from speakr.web.signed_media import SignedMedia

PREFIX: Final = "/clio"
USER_RATE: Final = "user"
"""Rate class of requests with a credential."""
ANONYMOUS_RATE: Final = "anonymous"
"""Rate class of requests to public endpoints, per address. Their views count it themselves."""
MEDIA: Final = SignedMedia(PREFIX, "/media/audio")


def noun(name: str, description: str, *, prefix: str = f"{PREFIX}/api") -> Blueprint:
    """Return the blueprint of one noun. Names are unique among all families."""
    return Blueprint(f"clio-{name}", name, url_prefix=prefix, description=description)
