"""Receive the audio file of a form for APIs that name the field in their errors and bound type and size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from flask import Request, request
from werkzeug.datastructures import MultiDict

from speakr.domain.errors import Invalid
from speakr.services.recordings import uploads
from speakr.services.recordings.intake import UploadForm
from speakr.web.identity import actor
from speakr.web.multipart import FileTarget, ReceivedUpload, receive_upload

_AUDIO = "audio/"
_MAYBE_AUDIO = frozenset(
    {"application/octet-stream", "application/ogg", "video/webm", "video/mp4", "video/ogg"}
)
"""What clients also send for sound: curl knows no type of its own, and containers of video may hold sound only."""
_STORED_TITLE = 200
_WRONG_KINDS = frozenset({"unsupported_media_type", "missing_boundary"})
"""Codes that are about the request, not about the file."""


class CountedTarget(FileTarget, Protocol):
    """A target that knows how many bytes it has received."""

    size_bytes: int


def receive_audio(
    request: Request, target: CountedTarget, *, file_field: str, min_bytes: int
) -> ReceivedUpload:
    """Receive a form with an audio file.

    The declared type is a first check only: the examination of the bytes decides whether they are audio.

    Raises:
        Invalid: the form, the type or the size is wrong; `errors` names the field.
        TooLarge, OutOfSpace: as `receive_upload`.

    """
    with naming_field(file_field):
        received = receive_upload(request, target, file_field=file_field)
        kind = received.require_file().declared_mime_type
        if kind is not None and not kind.startswith(_AUDIO) and kind not in _MAYBE_AUDIO:
            raise Invalid(f"The file is declared as {kind}, which is not audio.", code="not_media")
        if target.size_bytes < min_bytes:
            raise Invalid(f"The file is smaller than {min_bytes} bytes.", code="empty_file")
    return received


def create_recording(
    read: Callable[[MultiDict[str, str], str], UploadForm], *, file_field: str, min_bytes: int, max_mb: int
) -> Any:
    """Receive a form with an audio file as a new recording; failures name the field of the file.

    read: makes the recording's form of the other fields and the file's name; raises `Invalid` for wrong ones.
    Raises what `receive_audio` and `IncomingFile.complete` raise.
    """
    with uploads.begin(max_mb=max_mb) as incoming:
        received = receive_audio(request, incoming, file_field=file_field, min_bytes=min_bytes)
        form = read(received.fields, received.require_file().filename)
        with naming_field(file_field):
            return incoming.complete(actor(), form)[0]


def title_of(text: str, max_length: int) -> str | None:
    """Return a title as recordings have it; None if it is empty.

    max_length: characters that clients may send. What is longer than a recording's title is cut.

    Raises:
        Invalid: the title is longer.

    """
    if len(text) > max_length:
        raise Invalid("The title is too long.", errors={"title": [f"has at most {max_length} characters"]})
    return text.strip()[:_STORED_TITLE] or None


@contextmanager
def naming_field(name: str) -> Iterator[None]:
    """Let an error about a file name the field of the form."""
    try:
        yield
    except Invalid as error:
        if error.errors or error.slug in _WRONG_KINDS:
            raise
        raise Invalid(
            error.message, code=error.slug, errors={name: [error.message]}, **error.extra
        ) from error
