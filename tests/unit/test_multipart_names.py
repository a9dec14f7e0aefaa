"""Names and texts of clients, cleaned for storage and display."""

import pytest
from flask import Flask, request
from hypothesis import given
from hypothesis import strategies as st

from speakr.domain.errors import Invalid
from speakr.web.multipart import ReceivedFile, receive_upload
from speakr.web.names import clean_filename, clean_text
from tests.unit.incoming import incoming


@pytest.mark.parametrize(
    ("given_name", "expected"),
    [
        ("meeting.wav", "meeting.wav"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\talk.mp3", "talk.mp3"),
        ("a/b\\c.wav", "c.wav"),
        ("日本語 会議.m4a", "日本語 会議.m4a"),
        ("Zoe\u0308.wav", "Zoë.wav"),
        ("evil\u202egpj.exe", "evilgpj.exe"),
        ("a\0b\r\nc\x7f\x9f.wav", "abc.wav"),
        ("  spaced.wav  ", "spaced.wav"),
        ("lone\ud800.wav", "lone\ufffd.wav"),
        ("👩\u200d💻.wav", "👩\u200d💻.wav"),
        (".hidden", ".hidden"),
        ("", "upload"),
        (None, "upload"),
        ("   ", "upload"),
        ("..", "upload"),
        (". .", "upload"),
        ("folder/", "upload"),
        ("\u200e\0", "upload"),
    ],
)
def test_a_file_name_is_its_last_part_without_tricks(given_name: str | None, expected: str) -> None:
    assert clean_filename(given_name) == expected


def test_a_long_name_keeps_its_extension() -> None:
    assert clean_filename("x" * 400 + ".wav") == "x" * 251 + ".wav"
    assert clean_filename("x" * 400) == "x" * 255
    assert clean_filename("a." + "y" * 400) == "a." + "y" * 253


@given(st.text(st.characters(), max_size=400))
def test_any_name_becomes_a_harmless_one(name: str) -> None:
    cleaned = clean_filename(name)
    assert 1 <= len(cleaned) <= 255
    assert not set(cleaned) & set("/\\\0\r\n\u202e")
    assert clean_filename(cleaned) == cleaned
    cleaned.encode()


def test_text_loses_what_a_database_refuses() -> None:
    assert clean_text("a\0b\ud800c\nd\t", 100) == "ab\ufffdc\nd\t"


def test_text_is_cut() -> None:
    assert clean_text("\0abcdef", 3) == "abc"


# -- as clients send them


class NullSink:
    def write(self, data: bytes) -> int:
        return len(data)

    def commit(self) -> None: ...

    def abort(self) -> None: ...


def received(disposition: str, content_type: str = "audio/wav", before: str = "") -> ReceivedFile:
    """Send a file part with these headers, perhaps after another part, and return what is made of them."""
    headers = f'Content-Disposition: form-data; name="file"{disposition}\r\nContent-Type: {content_type}\r\n'
    body = f"{before}--B\r\n{headers}\r\nsound\r\n--B--\r\n".encode()
    app = Flask(__name__)
    with app.test_request_context(method="POST", data=body, content_type="multipart/form-data; boundary=B"):
        return receive_upload(request, incoming(NullSink, 100)).require_file()


@pytest.mark.parametrize("declared", ["audio/x wav", "<script>", "a" * 300 + "/b", "audio/wav\tx", ""])
def test_a_declared_type_that_is_none_is_dropped(declared: str) -> None:
    assert received('; filename="a"', declared).declared_mime_type is None


def test_a_declared_type_loses_its_parameters() -> None:
    assert received('; filename="a"', "Audio/L16; rate=16000").declared_mime_type == "audio/l16"


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        ('; filename="日本語.wav"', "日本語.wav"),
        ("; filename*=UTF-8''Z%C3%B6e%20%26%20co.wav", "Zöe & co.wav"),
        ("; filename=\"plain.wav\"; filename*=UTF-8''sch%C3%B6n.wav", "schön.wav"),
        ("; filename*0*=UTF-8''sch%C3%B6n; filename*1=er.wav", "schöner.wav"),
        ("; filename*=ISO-8859-1''Zo%EB.wav", "Zoë.wav"),
        ("; filename*=UTF-8''..%2F..%2Fx.wav", "x.wav"),
        ('; filename="say %22hi%22.wav"', 'say "hi".wav'),
        (r'; filename="say \"hi\".wav"', 'say "hi".wav'),
        (r'; filename="C:\fakepath\A.wav"', "A.wav"),
        (r'; filename="\\server\share\say \"hi\".wav"', 'say "hi".wav'),
        ("; filename=token.wav", "token.wav"),
        ('; filename=""', "upload"),
    ],
)
def test_file_names_of_every_spelling_are_read(parameter: str, expected: str) -> None:
    assert received(parameter).filename == expected


def test_a_part_whose_name_ends_in_a_backslash_is_read_past() -> None:
    odd = '--B\r\nContent-Disposition: form-data; name="odd\\"\r\n\r\n1\r\n'
    assert received('; filename="a.wav"', before=odd).filename == "a.wav"
    nameless = odd.replace('; name="odd\\"', '; filename="a.wav"')
    with pytest.raises(Invalid, match="has no name"):
        received('; filename="a.wav"', before=nameless)
