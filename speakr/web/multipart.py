"""Uploads as `multipart/form-data` (RFC 7578), streamed into storage while they arrive.

Flask's own form parsing would first spool the file to a temporary place. Here the one file part goes to a `FileTarget`
while it arrives, so an upload of any size takes a megabyte or two of memory and one write. Werkzeug's decoder does the
parsing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast

from flask import Request
from marshmallow import Schema
from werkzeug.datastructures import Headers, MultiDict
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Event, Field, File, MultipartDecoder, NeedData, State

from speakr.domain.errors import Invalid, TooLarge
from speakr.web.body import BLOCK_BYTES, blocks_of, incomplete
from speakr.web.names import clean_filename, clean_mime_type, clean_text

MEBIBYTE = 1024 * 1024
MAX_FORM_BYTES = MEBIBYTE
"""Bytes of all that is not file content: field values, part headers, preamble and epilogue."""
A_NAME = re.compile(r"[;\s]name=")
"""Matches the name in a part's disposition, but not `filename=`."""
UNREADABLE_NAME = "?"
"""Name of a part whose name cannot be read: no field has it, so the part is ignored."""
MAX_PARTS = 200
QUOTED_FILENAME = re.compile(r';[ \t]*filename="((?:[^"\\]|\\.)*)"', re.IGNORECASE)
FIELD_CHARSETS = {"iso-8859-1": "iso-8859-1", "us-ascii": "utf-8", "utf-8": "utf-8"}


class FileTarget(Protocol):
    """Receives the one file of a form. It counts the bytes and refuses too many."""

    @property
    def max_bytes(self) -> int:
        """Return the size of the largest file it accepts."""
        ...

    def open(self) -> None:
        """Start the file. Raises `OutOfSpace`."""
        ...

    def write(self, data: bytes) -> None:
        """Append bytes. Raises `TooLarge`, `OutOfSpace`."""
        ...

    def abort(self) -> None:
        """Delete what was written; safe to call at any time."""
        ...

    def too_large(self) -> TooLarge:
        """Return the error for a body that is larger than `max_bytes`."""
        ...


# -- what the view receives


@dataclass(frozen=True, slots=True)
class ReceivedFile:
    """The file part, whose bytes are in the target. The name and type are the client's claims."""

    filename: str
    declared_mime_type: str | None


@dataclass(frozen=True, slots=True)
class ReceivedUpload:
    """A parsed form."""

    fields: MultiDict[str, str]
    file: ReceivedFile | None

    def require_file(self) -> ReceivedFile:
        """Return the file, or raise `Invalid` when the form had none."""
        if self.file is None:
            raise Invalid("No file provided", code="no_file")
        return self.file


def receive_upload(
    request: Request,
    target: FileTarget,
    *,
    on_progress: Callable[[], None] | None = None,
    file_field: str = "file",
    max_form_bytes: int = MAX_FORM_BYTES,
) -> ReceivedUpload:
    """Read the body of `request`, and pass the part named `file_field` to `target`.

    Calls `on_progress` after each piece of the file. `max_form_bytes` limits all that is not file content. Skips file parts under other names. Aborts the target on any
    failure. Raises `Invalid` with the slug `unsupported_media_type`, `missing_boundary`, `malformed_form`,
    `incomplete_upload`, `several_files` or `no_file_selected`; `TooLarge` (`too_large`, `form_too_large`);
    `OutOfSpace`.
    """
    boundary = _boundary(request)
    max_body_bytes = target.max_bytes + max_form_bytes
    declared_bytes = request.content_length
    if declared_bytes is not None and declared_bytes > max_body_bytes:
        raise target.too_large()
    request.max_content_length = (
        max_body_bytes + BLOCK_BYTES
    )  # our own limit is checked first and has the better message
    form = _Form(boundary, target, on_progress, file_field, max_form_bytes)
    try:
        for block in blocks_of(request.stream):
            form.feed(block)
        form.finish(declared_bytes)
    except BaseException:  # also when the greenlet is killed because its client or its worker is gone
        target.abort()
        raise
    return ReceivedUpload(form.fields, form.file)


def multipart_body(schema: type[Schema]) -> dict[str, Any]:
    """Document a multipart body: `@blp.doc(**multipart_body(UploadForm))`.

    flask-smorest documents either the form or the files of an operation; this declares one schema for both (which may
    contain the file as `flask_smorest.fields.Upload`) and parses nothing.
    """
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


# -- reading


def _boundary(request: Request) -> bytes:
    """Return the boundary of a multipart request."""
    if request.mimetype != "multipart/form-data":
        raise Invalid("Send the upload as multipart/form-data.", code="unsupported_media_type")
    boundary = request.mimetype_params.get("boundary", "")
    if not boundary or not boundary.isascii() or not boundary.isprintable():
        raise Invalid("The multipart body declares no usable boundary.", code="missing_boundary")
    return boundary.encode("ascii")


class _Form:
    """A form while it arrives: takes blocks, collects fields and passes the file on."""

    def __init__(
        self,
        boundary: bytes,
        target: FileTarget,
        on_progress: Callable[[], None] | None,
        file_field: str,
        max_form_bytes: int,
    ) -> None:
        self.fields: MultiDict[str, str] = MultiDict()
        self.file: ReceivedFile | None = None
        self._decoder = MultipartDecoder(boundary)
        self._target = target
        self._max_form_bytes = max_form_bytes
        self._max_bytes = target.max_bytes + max_form_bytes
        self._on_progress = on_progress
        self._file_field = file_field
        self._is_file_open = False
        self._part: Field | File | None = None
        self._value = bytearray()
        self._held_back = b""
        self._part_count = 0
        self._read_bytes = 0
        self._file_bytes = 0
        self._skipped_bytes = 0

    def feed(self, block: bytes) -> None:
        """Take the next piece of the body."""
        self._read_bytes += len(block)
        if self._read_bytes > self._max_bytes:
            raise self._target.too_large()
        whole = self._held_back + block
        # Werkzeug 3.1 adds a stray CR to the last part when a block ends between the two hyphens that
        # close the form (its issue 3285), so hyphens at the end of a block wait for the next one.
        cut = len(whole) - (2 if whole.endswith(b"--") else whole.endswith(b"-"))
        self._held_back = whole[cut:]
        self._decode(whole[:cut])
        # The decoder keeps back at most part of a boundary, except of headers, and those count here.
        if self._read_bytes - self._file_bytes - self._skipped_bytes > self._max_form_bytes:
            raise TooLarge(
                f"The form fields together are larger than {self._max_form_bytes // MEBIBYTE} MB.",
                code="form_too_large",
            )

    def finish(self, declared_bytes: int | None) -> None:
        """Check that the body ended with its final boundary."""
        self._decode(self._held_back)
        if self._read_bytes < (declared_bytes or 0):
            raise incomplete()
        if self._read_bytes and self._decoder.state is not State.EPILOGUE:
            raise incomplete()

    def _decode(self, data: bytes) -> None:
        if self._decoder.state is State.EPILOGUE:
            return  # content after the last boundary has no meaning
        with _malformed():
            self._decoder.receive_data(data)
        while True:
            with _malformed():
                event = self._decoder.next_event()
            if isinstance(event, (NeedData, Epilogue)):
                return
            self._handle(event)

    def _handle(self, event: Event) -> None:
        if isinstance(event, (Field, File)):
            self._start_part(event)
        elif isinstance(event, Data):
            if event.data:
                self._take(event.data)
            if not event.more_data:
                self._end_part()

    def _start_part(self, part: Field | File) -> None:
        self._part_count += 1
        if cast("str | None", part.name) is None:  # the stub declares it as never None
            if A_NAME.search(part.headers.get("content-disposition", "")) is None:
                raise Invalid("A part of the form has no name.", code="malformed_form")
            # Browsers do not escape a backslash, so the quote after one does not end the name for the
            # decoder.
            part = replace(part, name=UNREADABLE_NAME)
        self._part = part
        if self._part_count > MAX_PARTS:
            raise TooLarge(f"The form has more than {MAX_PARTS} parts.", code="form_too_large")
        if self._is_file(part):
            if self._is_file_open:
                raise Invalid("Send one file at a time.", code="several_files")
            self._is_file_open = True
            self._target.open()

    def _take(self, data: bytes) -> None:
        """Pass content to the target of the current part."""
        if isinstance(self._part, Field):
            self._value += data
        elif self._is_file(self._part):
            self._file_bytes += len(data)
            self._target.write(data)
            if self._on_progress is not None:
                self._on_progress()
        else:
            self._skipped_bytes += len(data)

    def _end_part(self) -> None:
        part = self._part
        if isinstance(part, Field):
            text = bytes(self._value).decode(_charset(part.headers), "replace")
            self.fields.add(clean_text(part.name, MAX_FORM_BYTES), clean_text(text, self._max_form_bytes))
            self._value.clear()
        elif isinstance(part, File) and self._is_file(part):
            filename = _client_filename(part)
            if not filename and not self._file_bytes:  # what browsers send for an empty file input
                raise Invalid("No file selected", code="no_file_selected")
            self.file = ReceivedFile(
                filename=clean_filename(filename),
                declared_mime_type=clean_mime_type(part.headers.get("content-type")),
            )

    def _is_file(self, part: Field | File | None) -> bool:
        return isinstance(part, File) and part.name == self._file_field


def _charset(headers: Headers) -> str:
    """Return the codec of a field: UTF-8 unless it declares Latin-1, as some Java clients do."""
    charset = parse_options_header(headers.get("content-type"))[1].get("charset", "")
    return FIELD_CHARSETS.get(charset.lower(), "utf-8")


def _client_filename(part: File) -> str:
    r"""Return the client's file name, with the backslashes of a Windows path still in it.

    The decoder reads every backslash as an escape, but browsers escape nothing that way and others only
    quotes and backslashes, so `C:\talks\a.wav` would become `C:talksa.wav`.
    """
    header = part.headers.get("content-disposition", "")
    quoted = QUOTED_FILENAME.search(header)
    if quoted is None or "\\" not in quoted[1] or "filename*" in header.lower():
        return part.filename
    return re.sub(r'\\(["\\])', r"\1", quoted[1]).replace("%22", '"')


# -- errors


@contextmanager
def _malformed() -> Iterator[None]:
    """Turn the decoder's errors into domain errors."""
    try:
        yield
    except ValueError as error:
        raise Invalid("The multipart body is malformed.", code="malformed_form") from error
