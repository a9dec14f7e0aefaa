"""Receiving an upload: real bodies through a real request object, into a sink that remembers."""

import hashlib
import io
from typing import Any

import pytest
from flask import Flask, Request
from flask import request as flask_request
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import create_environ

from speakr.domain.errors import Invalid, OutOfSpace, SpeakrError, TooLarge
from speakr.services.recordings.uploads import IncomingFile
from speakr.storage.base import StorageFull
from speakr.web.body import BLOCK_BYTES
from speakr.web.multipart import MAX_FORM_BYTES, ReceivedUpload, receive_upload
from tests.unit.incoming import MemorySink, incoming

BOUNDARY = b"----a-boundary-9x"
AUDIO = bytes(range(256)) * 40 + b"\r\n--" + BOUNDARY[:-1] + b"\r\n\r\n--"


class Choppy:
    """A stream that gives its bytes in the given pieces, then ends or fails."""

    def __init__(self, pieces: list[bytes], error: Exception | None = None) -> None:
        self.pieces = [piece for piece in pieces if piece]
        self.error = error

    def read(self, size: int = -1) -> bytes:
        if not self.pieces:
            if self.error:
                raise self.error
            return b""
        piece = self.pieces.pop(0)
        if size < len(piece):
            self.pieces.insert(0, piece[size:])
        return piece[:size]


def part(name: str, content: bytes, extra: bytes = b"", headers: bytes = b"") -> bytes:
    head = b'--%s\r\nContent-Disposition: form-data; name="%s"%s\r\n' % (BOUNDARY, name.encode(), extra)
    return head + headers + b"\r\n" + content + b"\r\n"


def file_part(content: bytes = AUDIO, filename: bytes = b'; filename="a.wav"', name: str = "file") -> bytes:
    return part(name, content, filename, b"Content-Type: audio/wav\r\n")


def form(*parts: bytes, end: bytes = b"--\r\n") -> bytes:
    return b"".join(parts) + b"--" + BOUNDARY + end


def request_with(
    body: bytes | Choppy,
    content_type: str | None = f"multipart/form-data; boundary={BOUNDARY.decode()}",
    declared: int | None = None,
) -> Request:
    """Build a request; a `Choppy` body without `declared` length is like a chunked one."""
    environ = create_environ(method="POST")
    if content_type is not None:
        environ["CONTENT_TYPE"] = content_type
    if isinstance(body, bytes):
        declared = len(body) if declared is None else declared
        environ["wsgi.input"] = io.BytesIO(body)
    else:
        environ["wsgi.input"] = body
        environ["wsgi.input_terminated"] = True
    environ.pop("CONTENT_LENGTH", None)
    if declared is not None:
        environ["CONTENT_LENGTH"] = str(declared)
    return Request(environ)


def receive(body: bytes | Choppy, sink: MemorySink | None = None, **options: Any) -> ReceivedUpload:
    return receive_into(incoming_into(sink, options.pop("max_bytes", 1 << 20)), body, **options)


def incoming_into(sink: MemorySink | None = None, max_bytes: int = 1 << 20) -> IncomingFile:
    given = MemorySink() if sink is None else sink
    return incoming(lambda: given, max_bytes)


def receive_into(target: IncomingFile, body: bytes | Choppy, **options: Any) -> ReceivedUpload:
    return receive_upload(request_with(body), target, **options)


def refused(request: Request, kind: type[SpeakrError], slug: str, max_bytes: int = 1 << 20) -> SpeakrError:
    """Assert that the request is refused with this slug and that every sink that was opened is aborted."""
    opened: list[MemorySink] = []

    def open_sink() -> MemorySink:
        opened.append(MemorySink())
        return opened[-1]

    with pytest.raises(kind) as caught:
        receive_upload(request, incoming(open_sink, max_bytes))
    assert caught.value.slug == slug
    assert all(sink.state == "aborted" for sink in opened)
    return caught.value


# -- what arrives


def test_the_file_goes_to_the_sink_and_the_fields_come_back() -> None:
    sink = MemorySink()
    target = incoming_into(sink)
    upload = receive_into(
        target, form(part("notes", "Grüße".encode()), file_part(), part("tag_ids[0]", b"7"))
    )
    file = upload.require_file()
    assert bytes(sink.data) == AUDIO
    assert (file.filename, file.declared_mime_type, target.size_bytes) == ("a.wav", "audio/wav", len(AUDIO))
    assert target.sha256 == hashlib.sha256(AUDIO).hexdigest()
    assert sink.state == "open"
    assert upload.fields.to_dict() == {"notes": "Grüße", "tag_ids[0]": "7"}


def test_leaving_the_upload_aborts_what_was_not_committed() -> None:
    sink = MemorySink()
    with incoming_into(sink) as target:
        receive_into(target, form(file_part()))
    assert sink.state == "aborted"


def test_leaving_the_upload_keeps_what_was_committed() -> None:
    sink = MemorySink()
    with incoming_into(sink) as target:
        receive_into(target, form(file_part()))
        sink.commit()
    assert sink.state == "committed"


def test_fields_may_repeat() -> None:
    assert receive(form(part("a", b"1"), part("a", b"2"))).fields.getlist("a") == ["1", "2"]


def test_progress_is_reported_in_bytes_of_the_file() -> None:
    progress: list[int] = []
    audio = bytes(300_000)
    target = incoming_into()
    body = form(part("notes", b"x" * 1000), file_part(audio))
    receive_into(target, body, on_progress=lambda: progress.append(target.size_bytes))
    assert progress == sorted(progress)
    assert progress[-1] == len(audio)
    assert len(progress) >= len(audio) // BLOCK_BYTES


def test_an_empty_file_is_a_file() -> None:
    target = incoming_into()
    file = receive_into(target, form(file_part(b""))).require_file()
    assert (file.filename, target.size_bytes) == ("a.wav", 0)
    assert target.sha256 == hashlib.sha256().hexdigest()


@pytest.mark.parametrize("body", [b"", form(), form(part("notes", b"x")), form(part("file", b"only text"))])
def test_a_form_without_a_file_says_so(body: bytes) -> None:
    with pytest.raises(Invalid, match=r"^No file provided$") as caught:
        receive(body).require_file()
    assert caught.value.slug == "no_file"


def test_a_file_under_another_name_is_read_past() -> None:
    sink = MemorySink()
    upload = receive(
        form(file_part(bytes(3 * MAX_FORM_BYTES), name="cover"), file_part()), sink, max_bytes=1 << 22
    )
    assert bytes(sink.data) == AUDIO
    assert upload.fields.to_dict() == {}


def test_the_name_of_the_file_field_can_be_chosen() -> None:
    sink = MemorySink()
    receive(form(file_part(name="audio")), sink, file_field="audio")
    assert bytes(sink.data) == AUDIO


def test_preamble_and_epilogue_mean_nothing() -> None:
    sink = MemorySink()
    receive(b"hello\r\n" + form(file_part(), end=b"--\r\n") + b"\r\n--" + BOUNDARY + b"\r\nrubbish", sink)
    assert bytes(sink.data) == AUDIO


def test_a_latin_1_field_that_says_so_is_read_as_such() -> None:
    latin = part(
        "notes", "Zoë".encode("latin-1"), headers=b"Content-Type: text/plain; charset=ISO-8859-1\r\n"
    )
    assert receive(form(latin)).fields["notes"] == "Zoë"


def test_fields_are_made_storable() -> None:
    assert (
        receive(form(part("notes", b"a\0b\xffc\xed\xa0\x80"))).fields["notes"]
        == "ab\ufffdc\ufffd\ufffd\ufffd"
    )


# -- the same bytes, however they are cut into blocks

PAYLOADS = [
    b"",
    b"\r",
    b"\n",
    b"\r\n",
    b"-",
    b"--",
    b"\r\n--",
    b"x\r\n--" + BOUNDARY[:-1],
    b"\r\r\n-",
    b"a" * 30,
]


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("end", [b"--\r\n", b"--"])
def test_no_cut_changes_a_byte(payload: bytes, end: bytes) -> None:
    body = form(part("x", b"v"), file_part(payload), end=end)
    for cut in range(len(body) + 1):
        sink = MemorySink()
        upload = receive(Choppy([body[:cut], body[cut:]]), sink)
        assert bytes(sink.data) == payload, body[:cut][-12:]
        assert upload.fields["x"] == "v"


@given(
    st.lists(
        st.sampled_from([b"\r", b"\n", b"-", b"--", BOUNDARY, b"\r\n--" + BOUNDARY[:-2], b"x", b"\0"])
    ).map(b"".join),
    st.lists(st.integers(1, 40), max_size=60),
)
def test_hostile_content_arrives_as_sent(payload: bytes, sizes: list[int]) -> None:
    if b"\n--" + BOUNDARY in b"\n" + payload or b"\r--" + BOUNDARY in payload:
        payload = payload.replace(BOUNDARY, b"")  # content must not hold the boundary: the sender's duty
    body = form(file_part(payload), part("x", b"v"))
    pieces, position = [], 0
    for size in sizes:
        pieces.append(body[position : position + size])
        position += size
    sink = MemorySink()
    upload = receive(Choppy([*pieces, body[position:]]), sink)
    assert bytes(sink.data) == payload
    assert upload.fields["x"] == "v"


@given(st.lists(st.one_of(st.binary(max_size=30), st.sampled_from([
    b"--" + BOUNDARY, b"--", b"\r\n", b"\r\n\r\n", b"Content-Disposition: form-data", b'; name="file"', b'; filename="x"',
    b"; filename*=utf-8''%ff", b"\r\nContent-Type: text/plain; charset=utf-16",
])), max_size=25).map(b"".join))  # fmt: skip
def test_rubbish_is_refused_by_type(body: bytes) -> None:
    sink = MemorySink()
    try:
        receive(body, sink)
    except (Invalid, TooLarge):
        assert sink.state == "aborted" or not sink.data


# -- what is refused


@pytest.mark.parametrize(
    "content_type",
    [None, "application/json", "application/x-www-form-urlencoded", "multipart/mixed; boundary=x"],
)
def test_only_form_data_is_understood(content_type: str | None) -> None:
    refused(request_with(b"{}", content_type), Invalid, "unsupported_media_type")


@pytest.mark.parametrize("parameter", ["", "; boundary=", '; boundary="é"', "; charset=utf-8"])
def test_a_boundary_is_needed(parameter: str) -> None:
    refused(request_with(form(file_part()), f"multipart/form-data{parameter}"), Invalid, "missing_boundary")


def test_two_files_are_one_too_many() -> None:
    refused(request_with(form(file_part(), file_part())), Invalid, "several_files")


def test_an_empty_file_input_is_no_selection() -> None:
    error = refused(request_with(form(file_part(b"", b'; filename=""'))), Invalid, "no_file_selected")
    assert error.message == "No file selected"


@pytest.mark.parametrize(
    "broken",
    [
        form(b"--" + BOUNDARY + b"\r\nContent-Type: text/plain\r\n\r\nno disposition\r\n"),
        form(b"--" + BOUNDARY + b"\r\nContent-Disposition: form-data\r\n\r\nno name\r\n"),
        form(part("file", b"x", b'; filename="\xff.wav"')),
    ],
)
def test_a_part_needs_proper_headers(broken: bytes) -> None:
    refused(request_with(broken), Invalid, "malformed_form")


@pytest.mark.parametrize("missing", [1, 5, len(BOUNDARY) + 8, 500, len(AUDIO) + 50])
@pytest.mark.parametrize("is_declared", [True, False])
def test_a_body_that_stops_early_is_refused(missing: int, is_declared: bool) -> None:  # noqa: FBT001 - a case, not a flag
    body = form(part("notes", b"x"), file_part(), end=b"--")
    declared = len(body) if is_declared else None
    refused(request_with(Choppy([body[:-missing]]), declared=declared), Invalid, "incomplete_upload")


@pytest.mark.parametrize("error", [ConnectionResetError("gone"), OSError("invalid chunk")])
def test_a_client_that_goes_away_leaves_nothing(error: Exception) -> None:
    refused(request_with(Choppy([form(file_part())[:5000]], error)), Invalid, "incomplete_upload")


def test_a_short_body_behind_a_plain_server_is_refused() -> None:
    body = form(file_part())
    refused(request_with(body[:-100], declared=len(body)), Invalid, "incomplete_upload")


# -- limits


def test_the_cap_is_exact() -> None:
    target = incoming_into(max_bytes=1000)
    assert receive_into(target, form(file_part(bytes(1000)))).file is not None
    assert target.size_bytes == 1000
    refused(request_with(form(file_part(bytes(1001)))), TooLarge, "too_large", max_bytes=1000)


def test_a_declared_length_over_the_cap_is_refused_unread() -> None:
    stream = Choppy([b"never read"])
    error = refused(request_with(stream, declared=(1 << 20) + MAX_FORM_BYTES + 1), TooLarge, "too_large")
    assert error.message == "The file is larger than the 1.0 MB this server accepts."
    assert error.extra == {"max_size_mb": 1.0, "effective_limit_mb": 1.0, "audio_only_mode": False}
    assert stream.pieces == [b"never read"]


@pytest.mark.parametrize("name", ["file", "cover"])
def test_an_endless_body_is_cut_off(name: str) -> None:
    class Endless(Choppy):
        taken = 0

        def read(self, size: int = -1) -> bytes:
            data = super().read(size) or bytes(size)
            self.taken += len(data)
            return data

    stream = Endless([form(file_part(b"", name=name))[: -len(BOUNDARY) - 8]])
    refused(request_with(stream), TooLarge, "too_large", max_bytes=1 << 21)
    assert stream.taken <= (1 << 21) + MAX_FORM_BYTES + 2 * BLOCK_BYTES


@pytest.mark.parametrize(
    "body",
    [
        form(part("notes", bytes(MAX_FORM_BYTES + 1))),
        form(*[part("n", b"x" * 6000) for _ in range(190)]),
        form(part("notes", b"x", headers=b"X-Long: " + b"y" * (MAX_FORM_BYTES + 1) + b"\r\n")),
        b"x" * (MAX_FORM_BYTES + 1) + form(),
        form(*[part("n", b"x") for _ in range(201)]),
    ],
    ids=["one long field", "many fields", "a long header", "a long preamble", "too many parts"],
)
def test_the_rest_of_the_form_is_bounded(body: bytes) -> None:
    refused(request_with(body), TooLarge, "form_too_large", max_bytes=1 << 24)


@pytest.mark.parametrize("fails_at", ["open", "write"])
def test_full_storage_has_its_own_error(fails_at: str) -> None:
    sink = MemorySink(room=100)

    def open_sink() -> MemorySink:
        if fails_at == "open":
            raise StorageFull
        return sink

    with pytest.raises(OutOfSpace):
        receive_upload(request_with(form(file_part())), incoming(open_sink))
    assert sink.state == ("aborted" if fails_at == "write" else "open")


def test_any_failure_aborts_the_sink() -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    sink = MemorySink()
    with pytest.raises(KeyboardInterrupt):
        receive(form(file_part()), sink, on_progress=stop)
    assert sink.state == "aborted"


def test_a_small_app_wide_limit_does_not_stop_an_upload() -> None:
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = 10
    with app.request_context(request_with(form(file_part())).environ):
        target = incoming(MemorySink)
        receive_upload(flask_request, target).require_file()
    assert target.size_bytes == len(AUDIO)
