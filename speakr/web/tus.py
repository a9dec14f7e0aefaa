"""Headers of tus 1.0, the protocol of resumable uploads (https://tus.io/protocols/resumable-upload)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from datetime import datetime
from email.utils import format_datetime

from flask import Request, Response
from werkzeug.datastructures import MultiDict

from speakr.domain.errors import Invalid
from speakr.web.names import clean_text

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,expiration,checksum,termination"
CONTENT_TYPE = "application/offset+octet-stream"
ALGORITHMS = {"sha1": hashlib.sha1, "sha256": hashlib.sha256}
_MAX_DIGITS = 15
_MAX_FIELD_LENGTH = 1024 * 1024


def check_version(request: Request) -> None:
    """Refuse a client that asks for another version of the protocol."""
    asked = request.headers.get("Tus-Resumable")
    if asked is not None and asked != VERSION:
        raise Invalid(f"This server speaks tus {VERSION}.", code="tus_version_unsupported")


def has_body(request: Request) -> bool:
    """Return whether a request has bytes of the file; raise `Invalid` for another content type."""
    if request.mimetype == CONTENT_TYPE:
        return True
    if request.content_length or request.mimetype:
        raise Invalid(f"Send the bytes as {CONTENT_TYPE}.", code="unsupported_media_type")
    return False


def number(request: Request, header: str) -> int:
    """Return a header that counts bytes. Raises `Invalid` when it is missing or not such a number."""
    text = request.headers.get(header, "").strip()
    if not text.isascii() or not text.isdigit() or len(text) > _MAX_DIGITS:
        raise Invalid(f"{header} must be a number of bytes.", errors={header: ["must be a number of bytes"]})
    return int(text)


def metadata(request: Request) -> MultiDict[str, str]:
    """Parse `Upload-Metadata`: names, each with a text in Base64 (RFC 4648). A name may occur more than once.

    Raises:
        Invalid: it has another form.

    """
    fields: MultiDict[str, str] = MultiDict()
    header = request.headers.get("Upload-Metadata", "")
    if not header.isascii() or not header.isprintable():
        raise Invalid(
            "Upload-Metadata has characters outside of ASCII.",
            errors={"Upload-Metadata": ["must be printable ASCII"]},
        )
    for pair in header.split(","):
        if not pair.strip():
            continue
        name, _, value = pair.strip().partition(" ")
        try:
            text = base64.b64decode(value.strip(), validate=True).decode()
        except (binascii.Error, ValueError):
            raise Invalid(
                f"The value of {clean_text(name, 60)} in Upload-Metadata is not text in Base64.",
                errors={"Upload-Metadata": ["each value must be UTF-8 text in Base64"]},
            ) from None
        fields.add(clean_text(name, 200), clean_text(text, _MAX_FIELD_LENGTH))
    return fields


class RequestChecksum:
    """`Upload-Checksum`: an algorithm, and the hash of this request's bytes in Base64."""

    def __init__(self, header: str) -> None:
        algorithm, _, value = header.strip().partition(" ")
        if algorithm not in ALGORITHMS:
            raise Invalid(
                f"Upload-Checksum takes {' and '.join(ALGORITHMS)}.",
                errors={"Upload-Checksum": ["unknown algorithm"]},
            )
        try:
            self._expected = base64.b64decode(value.strip(), validate=True)
        except (binascii.Error, ValueError):
            raise Invalid(
                "The hash in Upload-Checksum is not Base64.", errors={"Upload-Checksum": ["not Base64"]}
            ) from None
        self._hash = ALGORITHMS[algorithm]()

    def update(self, data: bytes) -> None:
        """Hash the next bytes."""
        self._hash.update(data)

    def is_right(self) -> bool:
        """Compare with the client's hash."""
        return hmac.compare_digest(self._hash.digest(), self._expected)


def checksum(request: Request) -> RequestChecksum | None:
    """Return the checksum of a request, or None."""
    header = request.headers.get("Upload-Checksum")
    return None if header is None else RequestChecksum(header)


def add_headers(response: Response, *, max_size_bytes: int | None) -> Response:
    """Add the headers of tus; with a size, as in the response to OPTIONS, also those of its extensions."""
    response.headers["Tus-Resumable"] = VERSION
    if max_size_bytes is not None or response.status_code == 412:  # noqa: PLR2004 - Precondition Failed
        response.headers["Tus-Version"] = VERSION
    if max_size_bytes is not None:
        response.headers["Tus-Extension"] = EXTENSIONS
        response.headers["Tus-Max-Size"] = str(max_size_bytes)
        response.headers["Tus-Checksum-Algorithm"] = ",".join(ALGORITHMS)
    return response


def http_date(moment: datetime) -> str:
    """Format a time for HTTP headers (RFC 9110, section 5.6.7)."""
    return format_datetime(moment, usegmt=True)
