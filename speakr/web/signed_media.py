"""The stored audio of a user's recordings, for `<audio>` elements: addresses that carry their own signature, and ranges."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from flask import Request, Response, request

from speakr.db import release
from speakr.domain.clock import now
from speakr.domain.errors import NotFound
from speakr.domain.permissions import Actor, Permission
from speakr.services.accounts import signed_urls
from speakr.services.recordings import access
from speakr.web.downloads import send_stored
from speakr.web.identity import actor

ROUTE: Final = "/<id:user_id>/<id:recording_id>_<name>"
"""The route of the audio below `SignedMedia.prefix` and `SignedMedia.path`."""

_AUDIO = {"content": {"audio/*": {"schema": {"type": "string", "format": "binary"}}}}
DESCRIBED: Final[Any] = {
    "responses": {
        "200": {"description": "The whole audio"} | _AUDIO,
        "206": {"description": "A range of it"} | _AUDIO,
    }
}
"""The responses of the route, for the OpenAPI document."""

_LIFETIME = timedelta(hours=12)
_NOT_IN_ADDRESSES = re.compile("[^A-Za-z0-9.-]+")


@dataclass(frozen=True, slots=True)
class SignedMedia:
    """An authenticator that checks the signature in the address of a recording's audio.

    The signature is bound to the user and the recording, not to the file name at the end of the address. Clients that
    try another extension get 404, as for any wrong name.
    """

    prefix: str
    """Prefix of the family."""
    path: str
    """Path below the prefix."""

    def authenticate(self, request: Request) -> Actor | None:
        """Check the signature, if there is one."""
        if signed_urls.SIGNATURE not in request.args or not request.path.startswith(f"{self._base}/"):
            return None
        path = request.path.removeprefix(self._base).partition("_")[0]
        return signed_urls.verify(request.method, f"{self._base}{path}", request.args.items(multi=True))

    def address_of(self, row: Any, user_id: int) -> str | None:
        """Return the signed address below the family's prefix; None if the audio was deleted."""
        if row.storage_key is None:
            return None
        moment = now()
        since_hour = moment - moment.replace(minute=0, second=0, microsecond=0)
        # All addresses of an hour expire together, so that an address stays the same when a page loads its list again.
        signed = signed_urls.sign_url(
            f"{self._base}/{user_id}/{row.id}", user_id=user_id, lifetime=_LIFETIME - since_hour
        )
        path, _, query = signed.partition("?")
        return f"{path.removeprefix(self.prefix)}_{_name(row)}?{query}"

    @property
    def _base(self) -> str:
        return f"{self.prefix}{self.path}"


def send(user_id: int, recording_id: int, name: str) -> Response:
    """Send the audio that the address names, all of it or a range. Raises `NotFound` also for recordings of others."""
    row = access.get(actor(), recording_id, Permission.VIEW)
    if actor().user_id != row.user_id or user_id != row.user_id or name != _name(row):
        raise NotFound("There is no such file.")
    if row.storage_key is None:
        raise NotFound("The audio has been deleted.", code="audio_deleted")
    etag = f"{row.id}-{row.sha256[:32]}"
    try:
        return send_stored(
            request, row.storage_key, filename=row.original_filename, mime_type=row.mime_type, etag=etag
        )
    finally:
        release()


def _name(row: Any) -> str:
    return _NOT_IN_ADDRESSES.sub("-", row.original_filename)
