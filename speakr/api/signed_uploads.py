"""Signed uploads: an address to which a client without a token may PUT one file."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from flask import Response, request
from flask.views import MethodView

from speakr.api.blueprint import noun
from speakr.api.idempotent import idempotent
from speakr.api.schemas.upload_form import UploadOut
from speakr.api.schemas.upload_sources import SignedUploadIn, SignedUploadOut
from speakr.api.upload_form import fields_of, read_form
from speakr.api.uploads import upload_body
from speakr.db import unit_of_work
from speakr.domain.errors import Invalid
from speakr.domain.permissions import Scope
from speakr.services.recordings import signed_uploads
from speakr.web.body import whole_body
from speakr.web.identity import actor, needs
from speakr.web.json import json_response
from speakr.web.names import clean_filename, clean_mime_type
from speakr.web.pages import base_url
from speakr.web.rate_limits import RateClass

blp = noun("signed uploads", "Taking recordings in, from clients without a token")

_FILE = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}


@blp.route("/uploads/signed")
class SignedUploads(MethodView):
    """Where signed uploads are opened."""

    @needs(Scope.WRITE, RateClass.PROCESSING)
    @idempotent
    @blp.doc(operationId="createSignedUpload")
    @blp.arguments(SignedUploadIn)
    @blp.response(201, SignedUploadOut)
    def post(self, body: dict[str, Any]) -> Any:
        """Make an address to which one file may be PUT, once and for a time, without any other credential."""
        content_type = _media_type(body.get("content_type"))
        form = read_form(fields_of(body), clean_filename(body["filename"]))
        with unit_of_work():
            signed = signed_uploads.create(
                actor(),
                form,
                size_bytes=body.get("size"),
                content_type=content_type,
                lifetime=timedelta(seconds=body["expires_in"]),
            )
        return {
            "upload_id": signed.upload_id,
            "url": base_url() + signed.path,
            "method": signed_uploads.METHOD,
            "headers": {} if content_type is None else {"Content-Type": content_type},
            "expires_at": signed.expires_at,
        }


def _media_type(given: str | None) -> str | None:
    """Return the media type without parameters. Raises `Invalid` for what is none."""
    if not given:
        return None
    found = clean_mime_type(given)
    if found is None:
        raise Invalid("content_type is not a media type.", errors={"content_type": ["is not a media type"]})
    return found


@blp.route("/uploads/<id:upload_id>/content")
class SignedUploadContent(MethodView):
    """The file of a signed upload."""

    @needs(Scope.WRITE, RateClass.UPLOAD)
    @blp.doc(operationId="putSignedUpload", requestBody=_FILE)
    @blp.response(202, UploadOut)
    @blp.alt_response(423, description="Another PUT brings the file; see Retry-After.")
    def put(self, upload_id: int) -> Response:
        """Send the file of a signed upload as the body. The query of the signed address is the credential."""
        recording, duplicate = signed_uploads.receive(
            actor(),
            upload_id,
            content_type=clean_mime_type(request.content_type),
            declared_bytes=request.content_length,
            open_body=_body,
        )
        return json_response(upload_body(recording, duplicate), 202)


def _body(max_bytes: int) -> Iterator[bytes]:
    return whole_body(request, max_bytes)
