"""Resumable uploads with tus 1.0: a file arrives in any number of requests, over broken connections."""

from __future__ import annotations

from typing import Any

from flask import Response, current_app, request
from flask.views import MethodView
from werkzeug.datastructures import MultiDict

from speakr.api.blueprint import noun
from speakr.api.schemas.uploads import BYTES, CHECKSUM, LENGTH, METADATA, OFFSET, UploadStatusOut
from speakr.api.upload_form import read_form
from speakr.db import release, unit_of_work
from speakr.domain.errors import Invalid, UploadLocked
from speakr.domain.permissions import Scope
from speakr.domain.uploads import UploadState
from speakr.services.recordings import (
    fetches,
    resumable,
    resumable_finishing,
    resumable_writing,
    size_limits,
)
from speakr.services.recordings.intake import UploadForm
from speakr.web import tus
from speakr.web.body import whole_body
from speakr.web.identity import actor, needs
from speakr.web.names import clean_filename
from speakr.web.rate_limits import RateClass

blp = noun("resumable uploads", "Resumable uploads of recordings")

_EMPTY = {"type": "string", "maxLength": 0}


@blp.after_request
def _add_headers(response: Response) -> Response:
    is_discovery = request.method == "OPTIONS"
    return tus.add_headers(response, max_size_bytes=size_limits.current().max_bytes if is_discovery else None)


@blp.route("/uploads")
class Uploads(MethodView):
    """The collection of uploads; OPTIONS returns what this server supports."""

    @needs(Scope.WRITE, RateClass.PROCESSING)
    @blp.doc(operationId="createUpload", parameters=[LENGTH, METADATA, CHECKSUM], requestBody=BYTES)
    @blp.response(
        201, _EMPTY, content_type="text/plain", description="Created; its address is in `Location`."
    )
    @blp.alt_response(460, description="The bytes do not match their checksum.")
    def post(self) -> Response:
        """Create a resumable upload, optionally with its first bytes; if those are refused, nothing is stored."""
        tus.check_version(request)
        if "Upload-Defer-Length" in request.headers:
            raise Invalid("Send the length of the file when you create its upload.", code="length_deferred")
        size_bytes, fields = tus.number(request, "Upload-Length"), tus.metadata(request)
        filename = clean_filename(fields.get("filename"))
        read_form(fields, filename)  # refuse it before the client sends the bytes
        brings_bytes = tus.has_body(request)
        with unit_of_work():
            upload = resumable.create(
                actor(),
                size_bytes=size_bytes,
                filename=filename,
                fields=fields.items(multi=True),
                metadata_header=request.headers.get("Upload-Metadata", ""),
            )
        location = f"/api/v1/uploads/{upload.id}"
        if brings_bytes:
            return _answer(_receive_first(upload.id), 201, location)
        return _answer(upload, 201, location)


@blp.route("/uploads/<id:upload_id>")
class OneUpload(MethodView):
    """One upload."""

    @needs(Scope.WRITE, RateClass.STATUS)
    @blp.doc(operationId="getUpload")
    @blp.response(200, UploadStatusOut)
    def get(self, upload_id: int) -> Any:
        """Return the progress of an upload. HEAD sends the headers of tus and completes what a crash interrupted."""
        tus.check_version(request)
        upload = resumable.get(actor(), upload_id)
        if request.method != "HEAD":
            return upload
        resumable.require_not_failed(upload)
        if resumable_finishing.is_unfinished(upload):
            try:
                upload = resumable_finishing.finish(actor(), upload_id, _form_of)
            except UploadLocked:
                upload = resumable.get(actor(), upload_id)
        response = _answer(upload, 200)
        response.headers["Upload-Length"] = str(upload.size_bytes)
        response.headers["Cache-Control"] = "no-store"
        if upload.metadata_header:
            response.headers["Upload-Metadata"] = upload.metadata_header
        return response

    @needs(Scope.WRITE, RateClass.UPLOAD)
    @blp.doc(operationId="continueUpload", parameters=[OFFSET, CHECKSUM], requestBody=BYTES)
    @blp.response(
        204, description="Received. After the last byte, `Location` is the address of the recording."
    )
    @blp.alt_response(423, description="Another request is writing to this upload; see Retry-After.")
    @blp.alt_response(460, description="The bytes do not match their checksum.")
    def patch(self, upload_id: int) -> Response:
        """Send the next bytes. Received ones stay if the connection breaks; the last one creates the recording."""
        tus.check_version(request)
        upload = resumable.get(actor(), upload_id)
        if not tus.has_body(request):
            raise Invalid(f"Send the bytes as {tus.CONTENT_TYPE}.", code="unsupported_media_type")
        offset = tus.number(request, "Upload-Offset")
        is_repeated = upload.state is UploadState.COMPLETED and not request.content_length
        if not (is_repeated and offset == upload.received_bytes):
            upload = _receive(upload_id, offset)
        return _answer(upload, 204)

    @needs(Scope.WRITE, RateClass.WRITE)
    @blp.doc(operationId="deleteUpload")
    @blp.response(204, description="Deleted with its bytes. A recording that was made from it stays.")
    def delete(self, upload_id: int) -> Response:
        """Delete an upload. A fetch from a URL stops."""
        tus.check_version(request)
        with unit_of_work():
            fetches.terminate(actor(), upload_id)
        return current_app.response_class(status=204)


def _receive(upload_id: int, offset: int) -> Any:
    """Write the body of this request; after the last byte create the recording."""
    checksum = tus.checksum(request)
    upload = resumable.get(actor(), upload_id)
    blocks = whole_body(request, upload.size_bytes)
    release()
    resumable_writing.receive(actor(), upload_id, offset, blocks, checksum)
    return resumable_finishing.finish(actor(), upload_id, _form_of)


def _receive_first(upload_id: int) -> Any:
    """Write the first bytes of a new upload. Its client does not know the address yet, so a failure deletes it."""
    try:
        return _receive(upload_id, 0)
    except BaseException:
        release()
        with unit_of_work():
            resumable.terminate(actor(), upload_id)
        raise


def _form_of(upload: Any) -> UploadForm:
    return read_form(MultiDict([(name, value) for name, value in upload.fields]), upload.filename)


def _answer(upload: Any, status: int, location: str | None = None) -> Response:
    """Return the progress of an upload in headers; once it is a recording, also the address of that."""
    response = current_app.response_class(status=status)
    response.headers["Upload-Offset"] = str(upload.received_bytes)
    response.headers["Upload-Expires"] = tus.http_date(upload.expires_at)
    if location is None and upload.recording_id is not None:
        location = f"/api/v1/recordings/{upload.recording_id}"
    if location is not None:
        response.headers["Location"] = location
    return response
