"""Serving blobs: ranges, validators and file names, seen from the client's side."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import pytest
from flask import Flask, Response, request
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.http import parse_options_header

from speakr.domain.errors import NotFound, NotModifiedSince
from speakr.storage.base import BlobInfo, BlobMissing, Sink
from speakr.web.downloads import content_disposition, send_blob

AUDIO = bytes(range(256)) * 4000  # about 1 MB: several reads
CHANGED = datetime(2026, 3, 1, 12, 0, 0, 654321, tzinfo=UTC)
CHANGED_HTTP = "Sun, 01 Mar 2026 12:00:00 GMT"
ETAG = "3fb2c0ffee"


class Blob(io.BytesIO):
    """A blob that remembers how it was read."""

    largest_read = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.largest_read = max(self.largest_read, len(data))
        return data


class Shelf:
    """A storage with one blob on it."""

    def __init__(self, content: bytes | None = AUDIO) -> None:
        self.content = content
        self.opened: list[Blob] = []
        self.vanishes_before_open = False

    def stat(self, key: str) -> BlobInfo | None:
        assert key == "audio/3f/3fb2"
        return None if self.content is None else BlobInfo(len(self.content), CHANGED)

    def open(self, key: str) -> BinaryIO:
        assert key == "audio/3f/3fb2"
        if self.content is None or self.vanishes_before_open:
            raise BlobMissing
        self.opened.append(Blob(self.content))
        return self.opened[-1]

    def create(self, key: str) -> Sink:
        raise NotImplementedError

    def delete(self, key: str) -> None:
        raise NotImplementedError

    @contextmanager
    def local_path(self, key: str) -> Iterator[Path]:
        raise NotImplementedError
        yield

    def keys(self, prefix: str) -> Iterator[tuple[str, BlobInfo]]:
        raise NotImplementedError

    def free_bytes(self) -> int | None:
        raise NotImplementedError

    def check(self) -> None:
        raise NotImplementedError


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def client_of(shelf: Shelf, filename: str = "talk.mp3", mime_type: str = "audio/mpeg") -> FlaskClient:
    app = Flask(__name__)

    @app.get("/audio")
    def audio() -> Response:
        return send_blob(
            request,
            shelf,
            "audio/3f/3fb2",
            filename=filename,
            mime_type=mime_type,
            etag=ETAG,
            as_attachment="download" in request.args,
            missing_message="Audio file not found",
        )

    @app.errorhandler(NotFound)
    def not_found(error: NotFound) -> tuple[str, int]:
        return f"{error.slug}: {error.message}", 404

    @app.errorhandler(NotModifiedSince)
    def stale(error: NotModifiedSince) -> tuple[str, int]:
        return error.message, 412

    return app.test_client()


@pytest.fixture
def client(shelf: Shelf) -> FlaskClient:
    return client_of(shelf)


def all_closed(shelf: Shelf) -> bool:
    return all(blob.closed for blob in shelf.opened)


# -- the whole


def test_the_whole_comes_with_everything_a_player_needs(client: FlaskClient, shelf: Shelf) -> None:
    with client.get("/audio") as answer:
        assert answer.data == AUDIO
    headers = answer.headers
    assert answer.status_code == 200
    assert headers["Content-Type"] == "audio/mpeg"
    assert headers["Content-Length"] == str(len(AUDIO))
    assert headers["Accept-Ranges"] == "bytes"
    assert headers["ETag"] == f'"{ETAG}"'
    assert headers["Last-Modified"] == CHANGED_HTTP
    assert set(headers["Cache-Control"].split(", ")) == {"no-cache", "private"}
    assert headers["Content-Disposition"] == 'inline; filename="talk.mp3"'
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert len(shelf.opened) == 1
    assert all_closed(shelf)


def test_memory_is_one_chunk(client: FlaskClient, shelf: Shelf) -> None:
    with client.get("/audio") as answer:
        assert len(answer.data) == len(AUDIO)
    assert shelf.opened[0].largest_read <= 256 * 1024


def test_a_head_request_opens_nothing(client: FlaskClient, shelf: Shelf) -> None:
    with client.head("/audio", headers={"Range": "bytes=0-1"}) as answer:
        assert (answer.status_code, answer.data) == (200, b"")
    assert answer.headers["Content-Length"] == str(len(AUDIO))
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert shelf.opened == []


def test_a_client_that_goes_away_closes_the_blob(client: FlaskClient, shelf: Shelf) -> None:
    answer = client.get("/audio", buffered=False)
    assert next(answer.iter_encoded())
    assert not shelf.opened[0].closed
    answer.close()
    assert shelf.opened[0].closed


def test_an_empty_blob_is_sent() -> None:
    shelf = Shelf(b"")
    with client_of(shelf).get("/audio", headers={"Range": "bytes=0-"}) as answer:
        assert (answer.status_code, answer.data, answer.headers["Content-Length"]) == (200, b"", "0")
    assert all_closed(shelf)


def test_a_missing_blob_is_not_found(client: FlaskClient, shelf: Shelf) -> None:
    shelf.content = None
    with client.get("/audio") as answer:
        assert (answer.status_code, answer.text) == (404, "file_not_found: Audio file not found")


def test_a_blob_removed_at_this_moment_is_not_found(client: FlaskClient, shelf: Shelf) -> None:
    shelf.vanishes_before_open = True
    with client.get("/audio") as answer:
        assert answer.status_code == 404


# -- ranges


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-", 0, len(AUDIO)),
        ("bytes=500-999", 500, 1000),
        ("bytes=-7", len(AUDIO) - 7, len(AUDIO)),
        (f"bytes=-{len(AUDIO) * 2}", 0, len(AUDIO)),
        (f"bytes=300000-{len(AUDIO) * 2}", 300_000, len(AUDIO)),
        ("Bytes=1-600000", 1, 600_001),
    ],
)
def test_a_range_is_sent_as_such(
    client: FlaskClient, shelf: Shelf, asked: str, start: int, stop: int
) -> None:
    with client.get("/audio", headers={"Range": asked}) as answer:
        assert answer.data == AUDIO[start:stop]
    assert answer.status_code == 206
    assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{len(AUDIO)}"
    assert answer.headers["Content-Length"] == str(stop - start)
    assert answer.headers["ETag"] == f'"{ETAG}"'
    assert all_closed(shelf)


@given(st.integers(0, len(AUDIO) - 1), st.integers(0, 700_000))
def test_any_range_is_exactly_those_bytes(start: int, length: int) -> None:
    last = start + length
    with client_of(Shelf()).get("/audio", headers={"Range": f"bytes={start}-{last}"}) as answer:
        assert (answer.status_code, answer.data) == (206, AUDIO[start : last + 1])


@pytest.mark.parametrize(
    "asked", [f"bytes={len(AUDIO)}-", "bytes=99999999-", "bytes=9-3", "bytes=x-y", "bytes=", "bytes=-0"]
)
def test_a_bad_range_is_refused_with_the_size(client: FlaskClient, shelf: Shelf, asked: str) -> None:
    with client.get("/audio", headers={"Range": asked}) as answer:
        assert answer.status_code == RequestedRangeNotSatisfiable.code == 416
    assert answer.headers["Content-Range"] == f"bytes */{len(AUDIO)}"
    assert shelf.opened == []


@pytest.mark.parametrize("asked", ["seconds=1-2", "bytes", "bytes=0-1,5-6", "bytes=0-1, -5"])
def test_ranges_we_do_not_serve_get_the_whole(client: FlaskClient, asked: str) -> None:
    with client.get("/audio", headers={"Range": asked}) as answer:
        assert (answer.status_code, len(answer.data)) == (200, len(AUDIO))


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        (f'"{ETAG}"', 206),
        ('"other"', 200),
        (f'W/"{ETAG}"', 200),
        (CHANGED_HTTP, 206),
        ("Sun, 01 Mar 2026 11:59:59 GMT", 200),
        ("Sun, 01 Mar 2026 12:00:01 GMT", 200),
    ],
)
def test_if_range_needs_the_very_same_version(client: FlaskClient, condition: str, status: int) -> None:
    with client.get("/audio", headers={"Range": "bytes=0-9", "If-Range": condition}) as answer:
        assert (answer.status_code, len(answer.data)) == (status, 10 if status == 206 else len(AUDIO))


# -- conditions


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-None-Match": f'"{ETAG}"'}, 304),
        ({"If-None-Match": f'W/"{ETAG}"'}, 304),
        ({"If-None-Match": f'"a", "{ETAG}"'}, 304),
        ({"If-None-Match": "*"}, 304),
        ({"If-None-Match": '"other"'}, 200),
        ({"If-Modified-Since": CHANGED_HTTP}, 304),
        ({"If-Modified-Since": "Mon, 02 Mar 2026 12:00:00 GMT"}, 304),
        ({"If-Modified-Since": "Sun, 01 Mar 2026 11:00:00 GMT"}, 200),
        ({"If-Modified-Since": "yesterday"}, 200),
        ({"If-None-Match": '"other"', "If-Modified-Since": CHANGED_HTTP}, 200),
        ({"If-None-Match": f'"{ETAG}"', "Range": "bytes=0-1"}, 304),
        ({"If-None-Match": f'"{ETAG}"', "Range": "bytes=99999999-"}, 304),
        ({"If-Modified-Since": CHANGED_HTTP, "Range": "bytes=0-1"}, 304),
        ({"If-None-Match": '"other"', "Range": "bytes=0-1"}, 206),
        ({"If-Match": f'"{ETAG}"'}, 200),
        ({"If-Match": "*"}, 200),
        ({"If-Match": f'"{ETAG}"', "Range": "bytes=0-1"}, 206),
        ({"If-Match": '"other"'}, 412),
        ({"If-Match": f'W/"{ETAG}"'}, 412),
    ],
    ids=str,
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_conditions_are_weighed_in_the_order_of_the_rfc(
    client: FlaskClient, shelf: Shelf, headers: dict[str, str], status: int, method: str
) -> None:
    if method == "HEAD" and status == 206:
        status = 200
    with client.open("/audio", method=method, headers=headers) as answer:
        assert answer.status_code == status
    if status == 304:
        assert answer.headers["ETag"] == f'"{ETAG}"'
        assert "Content-Length" not in answer.headers
    assert len(shelf.opened) == (method == "GET" and status in (200, 206))
    assert all_closed(shelf)


# -- names and types


@pytest.mark.parametrize(
    ("filename", "expected"),
    [
        ("talk.mp3", 'attachment; filename="talk.mp3"'),
        ("Zoë.mp3", "attachment; filename=\"Zoe.mp3\"; filename*=UTF-8''Zo%C3%AB.mp3"),
        ("会議.mp3", "attachment; filename=\"download.mp3\"; filename*=UTF-8''%E4%BC%9A%E8%AD%B0.mp3"),
        ("会議", "attachment; filename=\"download\"; filename*=UTF-8''%E4%BC%9A%E8%AD%B0"),
        ('a"b;c%41\\d.mp3', 'attachment; filename="d.mp3"'),
        ('a"b;c%41.mp3', "attachment; filename=\"a_b_c_41.mp3\"; filename*=UTF-8''a%22b%3Bc%2541.mp3"),
        ("x\r\nSet-Cookie: a=b", 'attachment; filename="xSet-Cookie: a=b"'),
        ("../../etc/passwd", 'attachment; filename="passwd"'),
        ("", 'attachment; filename="upload"'),
    ],
)  # fmt: skip
def test_file_names_are_sent_in_ascii_and_in_full(filename: str, expected: str) -> None:
    assert content_disposition(filename, as_attachment=True) == expected


@given(st.text(st.characters(), max_size=80))
def test_any_name_survives_the_header(filename: str) -> None:
    value = content_disposition(filename, as_attachment=False)
    assert value.isascii()
    assert value.isprintable()
    parsed = parse_options_header(value)[1]["filename"]
    assert content_disposition(parsed, as_attachment=False) == value


def test_download_is_an_attachment(client: FlaskClient) -> None:
    with client.get("/audio?download=1") as answer:
        assert answer.headers["Content-Disposition"] == 'attachment; filename="talk.mp3"'


@pytest.mark.parametrize(
    ("mime_type", "sent", "disposition"),
    [
        ("audio/x-wav", "audio/x-wav", "inline"),
        ("Video/MP4; codecs=avc1", "video/mp4", "inline"),
        ("text/html", "text/html; charset=utf-8", "attachment"),
        ("image/svg+xml", "image/svg+xml", "attachment"),
        ("audio/mpeg\r\nSet-Cookie: a=b", "application/octet-stream", "attachment"),
        ("", "application/octet-stream", "attachment"),
    ],
)
def test_only_what_a_player_plays_is_shown_in_place(
    shelf: Shelf, mime_type: str, sent: str, disposition: str
) -> None:
    with client_of(shelf, mime_type=mime_type).get("/audio") as answer:
        assert answer.headers["Content-Type"] in {sent, f"{sent}; charset=utf-8"}
        assert answer.headers["Content-Disposition"].startswith(f"{disposition};")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
