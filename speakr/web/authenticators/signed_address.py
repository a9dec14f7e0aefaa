"""Signed addresses (`services/signed_urls.py`): the signature in the link is the credential."""

from __future__ import annotations

from flask import Request

from speakr.domain.permissions import Actor
from speakr.services.accounts import signed_urls


class SignedAddress:
    """Checks the signature in the query of a request."""

    def authenticate(self, request: Request) -> Actor | None:
        """Check the signature, if there is one."""
        if signed_urls.SIGNATURE not in request.args:
            return None
        return signed_urls.verify(request.method, request.path, request.args.items(multi=True))
