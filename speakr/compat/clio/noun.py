"""What all of Clio's routes share: prefix, access with its rate class, and the addresses of audio."""

from __future__ import annotations

from typing import Final

from speakr.domain.permissions import Scope
from speakr.web.described import Blueprint
from speakr.web.identity import needs
from speakr.web.signed_media import SignedMedia

PREFIX: Final = "/clio"
USER_RATE, ANONYMOUS_RATE = "user", "anonymous"
"""Rate classes of requests with a credential, and of those without one, per address."""
READ, WRITE, PROCESS = (needs(scope, USER_RATE) for scope in (Scope.READ, Scope.WRITE, Scope.PROCESS))
MEDIA: Final = SignedMedia(PREFIX, "/media/audio")


def noun(name: str, description: str, *, prefix: str = f"{PREFIX}/api") -> Blueprint:
    """Return the blueprint of one noun. Names are unique among all families."""
    return Blueprint(f"clio-{name}", name, url_prefix=prefix, description=description)
