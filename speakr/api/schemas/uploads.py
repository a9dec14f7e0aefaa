"""Schemas of resumable uploads."""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from speakr.domain.uploads import UploadState
from speakr.web.tus import CONTENT_TYPE
from speakr.web.wire import UtcDateTime, Wire


class UploadErrorOut(Wire):
    """Why the last attempt to create the recording failed."""

    code = fields.String(required=True, metadata={"example": "not_media"})
    error = fields.String(required=True, metadata={"example": "The file is no audio or video."})


class KnownSize(fields.Integer):
    """A number of bytes; null as long as it is not known."""

    def _serialize(self, value: int | None, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        return super()._serialize(value or None, attr, obj, **kwargs)


class UploadStatusOut(Wire):
    """The progress of a resumable upload, and its result."""

    id = fields.Integer(required=True)
    state = fields.Enum(UploadState, by_value=True, required=True)
    filename = fields.String(required=True)
    size_bytes = KnownSize(required=True, allow_none=True, metadata={"example": 1843200})
    received_bytes = fields.Integer(required=True, metadata={"example": 1048576})
    created_at = UtcDateTime(required=True)
    expires_at = UtcDateTime(required=True)
    recording_id = fields.Integer(required=True, allow_none=True)
    error = fields.Nested(UploadErrorOut, required=True, allow_none=True)


def header(
    name: str, description: str, example: str, *, pattern: str = "", is_required: bool = False
) -> dict[str, Any]:
    """Describe a header of a request; `pattern` is a regular expression for its value."""
    return {
        "name": name,
        "in": "header",
        "required": is_required,
        "description": description,
        "schema": {"type": "string", "example": example} | ({"pattern": pattern} if pattern else {}),
    }


BYTES: dict[str, Any] = {"content": {CONTENT_TYPE: {"schema": {"type": "string", "format": "binary"}}}}
METADATA = header(
    "Upload-Metadata",
    "`filename`, `filetype` and the fields of a multipart upload: names and Base64 values, separated by commas.",
    "filename bWVldGluZy53YXY=,title U3RhbmQtdXA=",
)
_BYTE_COUNT = "^[0-9]{1,15}$"
LENGTH = header("Upload-Length", "Bytes of the whole file.", "1843200", pattern=_BYTE_COUNT, is_required=True)
OFFSET = header(
    "Upload-Offset", "Offset of these bytes, as HEAD returns it.", "0", pattern=_BYTE_COUNT, is_required=True
)
CHECKSUM = header(
    "Upload-Checksum",
    "`sha1` or `sha256`, and the hash of this request's bytes in Base64.",
    "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=",
)
