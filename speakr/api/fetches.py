"""Uploads from a URL: Speakr fetches the file itself."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView

from speakr.api.blueprint import noun
from speakr.api.idempotent import idempotent
from speakr.api.schemas.upload_sources import FromUrlIn
from speakr.api.schemas.uploads import UploadStatusOut
from speakr.api.upload_form import fields_of, read_form
from speakr.db import unit_of_work
from speakr.domain.permissions import Scope
from speakr.services.recordings import fetches
from speakr.web.identity import actor, needs
from speakr.web.json import json_response
from speakr.web.names import clean_filename, name_in_url
from speakr.web.rate_limits import RateClass

blp = noun("uploads from a URL", "Taking recordings in, from other servers")


@blp.route("/recordings/from-url")
class FromUrl(MethodView):
    """A recording by its address."""

    @needs(Scope.WRITE, RateClass.PROCESSING)
    @idempotent
    @blp.doc(operationId="uploadFromUrl")
    @blp.arguments(FromUrlIn)
    @blp.response(202, UploadStatusOut, description="Queued; `GET /uploads/{upload_id}` says how far it is.")
    def post(self, body: dict[str, Any]) -> Response:
        """Fetch a file from a URL and upload it. The answer is an upload to look at until it is completed or failed."""
        given = body.get("filename")
        form = read_form(fields_of(body), clean_filename(given or name_in_url(body["url"])))
        with unit_of_work():
            upload = fetches.create(
                actor(), url=body["url"].strip(), headers=body["headers"], form=form, is_named=bool(given)
            )
        response = json_response(UploadStatusOut().dump(upload), 202)
        response.headers["Location"] = f"/api/v1/uploads/{upload.id}"
        return response
