"""The audio of notes, for `<audio>` elements: addresses that carry their own signature, and ranges."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from flask import Request, Response, request
from flask.views import MethodView

from speakr.compat.clio.noun import PREFIX, noun
from speakr.db import release
from speakr.domain.clock import now
from speakr.domain.errors import NotFound
from speakr.domain.permissions import Actor, Permission, Scope
from speakr.services.accounts import signed_urls
from speakr.services.recordings import access
from speakr.web.downloads import send_stored
from speakr.web.identity import actor, needs

_LIFETIME = timedelta(hours=12)
_MEDIA = f"{PREFIX}/media/audio"
_NOT_IN_ADDRESSES = re.compile("[^A-Za-z0-9.-]+")

blp = noun("media", "The audio of notes", prefix=_MEDIA)


class SignedMedia:
    """Checks the signature in the address of a note's audio. It is bound to the user and the note, not to the name.

    The web client also tries the address with another extension; that gives 404, as any wrong name.
    """

    def authenticate(self, request: Request) -> Actor | None:
        """Check the signature, if there is one."""
        if signed_urls.SIGNATURE not in request.args or not request.path.startswith(f"{_MEDIA}/"):
            return None
        path = request.path.partition("_")[0]
        return signed_urls.verify(request.method, path, request.args.items(multi=True))


def address_of(row: Any, user_id: int) -> str | None:
    """Return the signed address of a note's audio below the family's prefix; None if the audio was deleted."""
    if row.storage_key is None:
        return None
    moment = now()
    since_hour = moment - moment.replace(minute=0, second=0, microsecond=0)
    # All addresses of an hour expire together, so that an address stays the same when a page loads its notes again.
    signed = signed_urls.sign_url(
        f"{_MEDIA}/{user_id}/{row.id}", user_id=user_id, lifetime=_LIFETIME - since_hour
    )
    path, _, query = signed.partition("?")
    return f"{path.removeprefix(PREFIX)}_{_name(row)}?{query}"


def _name(row: Any) -> str:
    return _NOT_IN_ADDRESSES.sub("-", row.original_filename)


@blp.route("/<id:user_id>/<id:recording_id>_<name>")
class Audio(MethodView):
    """The stored audio of a note."""

    @needs(Scope.READ, None)
    @blp.doc(operationId="clioGetAudio")
    @blp.response(200, {"type": "string", "format": "binary"}, content_type="audio/*")
    @blp.alt_response(206, schema={"type": "string", "format": "binary"}, content_type="audio/*")
    def get(self, user_id: int, recording_id: int, name: str) -> Response:
        """Play the audio, all of it or a range. Needs the signature in the address, a cookie or a token."""
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
