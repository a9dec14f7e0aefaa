"""Uploads as `multipart/form-data` (RFC 7578), streamed: the file goes into storage while it arrives.

Flask's own form parsing would spool the file to a temporary place and give it to us afterwards. Here the
one file part is written straight into a `Sink`, hashed and counted on the way, so an upload of any size
costs a megabyte or two of memory and one write. Werkzeug's decoder does the parsing.
"""

from __future__ import annotations

import hashlib
import re
import time
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import TracebackType
from typing import IO, Any, Self, cast

from flask import Request
from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]  # gunicorn has no types
from marshmallow import Schema
from werkzeug.datastructures import Headers, MultiDict
from werkzeug.exceptions import ClientDisconnected
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Event, Field, File, MultipartDecoder, NeedData, State

from speakr.domain.errors import Invalid, OutOfSpace, TooLarge
from speakr.storage.base import Sink, StorageFull

BLOCK_BYTES = 256 * 1024
"""Through gunicorn, larger reads are cheaper: half the time of reads of 64 KiB."""
MEBIBYTE = 1024 * 1024
MAX_FORM_BYTES = MEBIBYTE
"""Everything that is not file content: field values, part headers, preamble and epilogue."""
A_NAME = re.compile(r"[;\s]name=")
"""In a part's disposition; `filename=` is none."""
UNREADABLE_NAME = "?"
"""What a part is called whose name cannot be read: nothing asks for it, so it is ignored."""
MAX_PARTS = 200
MAX_FILENAME_LENGTH = 255
PAUSE_EVERY_BYTES = 2 * MEBIBYTE
PAUSE_SECONDS = 0.0001
"""A sender on a fast line never lets a read wait, so no other greenlet would run. A pause of zero is not
enough: gevent looks at its sockets only after fifty of those."""

MIME_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,127}/[a-z0-9!#$&^_.+-]{1,127}")
SURROGATES = re.compile("[\ud800-\udfff]")
# control characters, marks that turn the direction of text, line separators, byte order mark
NOT_IN_NAMES = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
QUOTED_FILENAME = re.compile(r';[ \t]*filename="((?:[^"\\]|\\.)*)"', re.IGNORECASE)
FIELD_CHARSETS = {"iso-8859-1": "iso-8859-1", "us-ascii": "utf-8", "utf-8": "utf-8"}


# -- what the view gets


@dataclass(frozen=True, slots=True)
class ReceivedFile:
    """The file part, written to `sink` but not yet committed. The name and type are the client's claims."""

    filename: str
    declared_mime_type: str | None
    size_bytes: int
    sha256: str
    sink: Sink


@dataclass(frozen=True, slots=True)
class ReceivedUpload:
    """A parsed form. As a context manager it aborts the sink at the end unless that was committed."""

    fields: MultiDict[str, str]
    file: ReceivedFile | None

    def require_file(self) -> ReceivedFile:
        """Return the file, or raise `Invalid` when the form had none."""
        if self.file is None:
            raise Invalid("No file provided", code="no_file")
        return self.file

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.file is not None:
            self.file.sink.abort()


def receive_upload(
    request: Request,
    *,
    open_sink: Callable[[], Sink],
    max_bytes: int,
    on_progress: Callable[[int], None] | None = None,
    file_field: str = "file",
) -> ReceivedUpload:
    """Read the body of `request`, writing the part named `file_field` into a sink from `open_sink`.

    `on_progress` is told the bytes of the file so far. File parts under other names are read past. On
    any failure the sink is aborted. Raises `Invalid` with the slug `unsupported_media_type`,
    `missing_boundary`, `malformed_form`, `incomplete_upload`, `several_files` or `no_file_selected`;
    `TooLarge` (`too_large`, `form_too_large`); `OutOfSpace`.
    """
    boundary = _boundary(request)
    most_bytes = max_bytes + MAX_FORM_BYTES
    declared_bytes = request.content_length
    if declared_bytes is not None and declared_bytes > most_bytes:
        raise _file_too_large(max_bytes)
    request.max_content_length = most_bytes + BLOCK_BYTES  # ours is counted first and says it better
    form = _Form(boundary, open_sink, max_bytes, on_progress, file_field)
    try:
        for block in _blocks(request.stream):
            form.feed(block)
        form.finish(declared_bytes)
    except BaseException:  # also a greenlet that is killed because its client or its worker goes
        form.abort()
        raise
    return ReceivedUpload(form.fields, form.file)


def multipart_body(schema: type[Schema]) -> dict[str, Any]:
    """Document a multipart body: `@blp.doc(**multipart_body(UploadForm))`.

    flask-smorest documents either the form or the files of an operation; this declares one schema for
    both (let it hold the file as `flask_smorest.fields.Upload`) and parses nothing.
    """
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


# -- text from strangers


def clean_text(value: str, max_length: int) -> str:
    """Make text storable: no NUL, U+FFFD for lone surrogates, at most `max_length` characters."""
    return SURROGATES.sub("\ufffd", value.replace("\0", ""))[:max_length]


def clean_filename(value: str | None) -> str:
    r"""Return the last path component (`/` and `\` both separate) fit to show, at most 255 characters.

    A name too long keeps its extension. What is left empty is called `upload`.
    """
    last = re.split(r"[/\\]", value or "")[-1]
    name = unicodedata.normalize("NFC", SURROGATES.sub("\ufffd", NOT_IN_NAMES.sub("", last))).strip()
    if not name.strip(". "):
        return "upload"
    if len(name) > MAX_FILENAME_LENGTH:
        stem, dot, extension = name.rpartition(".")
        tail = dot + extension if stem and len(extension) <= 16 else ""  # noqa: PLR2004 - longer is no extension
        name = name[: MAX_FILENAME_LENGTH - len(tail)] + tail
    return name


# -- reading


def _boundary(request: Request) -> bytes:
    """Return the boundary of a multipart request."""
    if request.mimetype != "multipart/form-data":
        raise Invalid("Send the upload as multipart/form-data.", code="unsupported_media_type")
    boundary = request.mimetype_params.get("boundary", "")
    if not boundary or not boundary.isascii() or not boundary.isprintable():
        raise Invalid("The multipart body declares no usable boundary.", code="missing_boundary")
    return boundary.encode("ascii")


def _blocks(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield the body in blocks until it ends."""
    since_pause = 0
    while True:
        try:
            block = stream.read(BLOCK_BYTES)
        except (ClientDisconnected, OSError, ParseException) as error:  # the last: gunicorn, of bad chunks
            raise _incomplete() from error
        if not block:
            return
        yield block
        since_pause += len(block)
        if since_pause >= PAUSE_EVERY_BYTES:
            since_pause = 0
            time.sleep(PAUSE_SECONDS)


class _Form:
    """The form while it arrives: fed with blocks, it collects fields and passes the file on."""

    def __init__(
        self,
        boundary: bytes,
        open_sink: Callable[[], Sink],
        max_bytes: int,
        on_progress: Callable[[int], None] | None,
        file_field: str,
    ) -> None:
        self.fields: MultiDict[str, str] = MultiDict()
        self.file: ReceivedFile | None = None
        self._decoder = MultipartDecoder(boundary)
        self._open_sink = open_sink
        self._max_bytes = max_bytes
        self._on_progress = on_progress
        self._file_field = file_field
        self._sink: Sink | None = None
        self._sha256 = hashlib.sha256()
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
        if self._read_bytes > self._max_bytes + MAX_FORM_BYTES:
            raise _file_too_large(self._max_bytes)
        whole = self._held_back + block
        # Werkzeug 3.1 adds a stray CR to the last part when a block ends between the two hyphens that
        # close the form (its issue 3285), so hyphens at the end of a block wait for the next one.
        cut = len(whole) - (2 if whole.endswith(b"--") else whole.endswith(b"-"))
        self._held_back = whole[cut:]
        self._decode(whole[:cut])
        # The decoder keeps at most part of a boundary back, except of headers, and those count here.
        if self._read_bytes - self._file_bytes - self._skipped_bytes > MAX_FORM_BYTES:
            raise TooLarge("The form fields together are larger than 1 MB.", code="form_too_large")

    def finish(self, declared_bytes: int | None) -> None:
        """Check that the body ended where it should."""
        self._decode(self._held_back)
        if self._read_bytes < (declared_bytes or 0):
            raise _incomplete()
        if self._read_bytes and self._decoder.state is not State.EPILOGUE:
            raise _incomplete()

    def abort(self) -> None:
        """Drop the file as far as it came."""
        if self._sink is not None:
            self._sink.abort()

    def _decode(self, data: bytes) -> None:
        if self._decoder.state is State.EPILOGUE:
            return  # what follows the last boundary has no meaning
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
        if cast("str | None", part.name) is None:  # typed as always there
            if A_NAME.search(part.headers.get("content-disposition", "")) is None:
                raise Invalid("A part of the form has no name.", code="malformed_form")
            # Browsers do not escape a backslash, so the quote after one does not end what the decoder reads.
            part = replace(part, name=UNREADABLE_NAME)
        self._part = part
        if self._part_count > MAX_PARTS:
            raise TooLarge(f"The form has more than {MAX_PARTS} parts.", code="form_too_large")
        if self._is_file(part):
            if self._sink is not None:
                raise Invalid("Send one file at a time.", code="several_files")
            with _room():
                self._sink = self._open_sink()

    def _take(self, data: bytes) -> None:
        """Pass content on to where the current part goes."""
        if isinstance(self._part, Field):
            self._value += data
        elif self._sink is not None and self._is_file(self._part):
            self._file_bytes += len(data)
            if self._file_bytes > self._max_bytes:
                raise _file_too_large(self._max_bytes)
            self._sha256.update(data)
            with _room():
                self._sink.write(data)
            if self._on_progress is not None:
                self._on_progress(self._file_bytes)
        else:
            self._skipped_bytes += len(data)

    def _end_part(self) -> None:
        part = self._part
        if isinstance(part, Field):
            text = bytes(self._value).decode(_charset(part.headers), "replace")
            self.fields.add(clean_text(part.name, MAX_FORM_BYTES), clean_text(text, MAX_FORM_BYTES))
            self._value.clear()
        elif self._sink is not None and isinstance(part, File) and self._is_file(part):
            filename = _client_filename(part)
            if not filename and not self._file_bytes:  # what browsers send for an empty file input
                raise Invalid("No file selected", code="no_file_selected")
            self.file = ReceivedFile(
                filename=clean_filename(filename),
                declared_mime_type=_mime_type(part.headers),
                size_bytes=self._file_bytes,
                sha256=self._sha256.hexdigest(),
                sink=self._sink,
            )

    def _is_file(self, part: Field | File | None) -> bool:
        return isinstance(part, File) and part.name == self._file_field


def _charset(headers: Headers) -> str:
    """Return the codec of a field: UTF-8 unless it says Latin-1, as some Java clients do."""
    charset = parse_options_header(headers.get("content-type"))[1].get("charset", "")
    return FIELD_CHARSETS.get(charset.lower(), "utf-8")


def _client_filename(part: File) -> str:
    r"""Return the name the client gave, with the backslashes of a Windows path still in it.

    The decoder reads every backslash as an escape, but browsers escape nothing that way and others only
    quotes and backslashes, so `C:\talks\a.wav` would become `C:talksa.wav`.
    """
    header = part.headers.get("content-disposition", "")
    quoted = QUOTED_FILENAME.search(header)
    if quoted is None or "\\" not in quoted[1] or "filename*" in header.lower():
        return part.filename
    return re.sub(r'\\(["\\])', r"\1", quoted[1]).replace("%22", '"')


def _mime_type(headers: Headers) -> str | None:
    """Return the declared type without parameters, or None when it is missing or no such thing."""
    value = parse_options_header(headers.get("content-type"))[0].lower()
    return value if MIME_TYPE.fullmatch(value) else None


# -- what goes wrong


@contextmanager
def _malformed() -> Iterator[None]:
    """Turn the decoder's complaints into ours."""
    try:
        yield
    except ValueError as error:
        raise Invalid("The multipart body is malformed.", code="malformed_form") from error


@contextmanager
def _room() -> Iterator[None]:
    """Tell the user when the storage is full."""
    try:
        yield
    except StorageFull as error:
        raise OutOfSpace("The server has no room left for this file.") from error


def _incomplete() -> Invalid:
    return Invalid("The upload stopped before it was complete.", code="incomplete_upload")


def _file_too_large(max_bytes: int) -> TooLarge:
    return TooLarge(
        f"The file is larger than {max_bytes / MEBIBYTE:.4g} MB.", max_size_mb=round(max_bytes / MEBIBYTE, 3)
    )
