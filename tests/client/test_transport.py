"""Requests and retries."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from speakr.client import ApiError, ClientError, FileTrouble, Speakr, TookTooLong, Unreachable
from speakr.client.transport import MAX_WAIT_SECONDS, PAUSES_SECONDS, clean_url, retry_after_seconds
from tests.client.stub import HANGS_UP, Answer, Stub, error

BUSY = error(503, "unavailable", "Away.")
RECORDING = {"id": 7, "title": "Recording - a.wav", "status": "PENDING"}


def test_a_get_is_asked_again_until_it_is_answered(stub: Stub, speakr: Speakr, pauses: list[float]) -> None:
    stub.will(
        HANGS_UP,
        error(503, "unavailable", "Away.", Retry_After="7"),
        error(429, "rate_limited", "Too many.", Retry_After="42"),
        Answer(502, b"<html>Bad Gateway</html>"),
        {"id": 1, "username": "ann"},
    )
    assert speakr.me()["username"] == "ann"
    assert pauses == [PAUSES_SECONDS[0], 7.0, 42.0, PAUSES_SECONDS[3]]
    assert {asked.headers["Authorization"] for asked in stub.asked} == {"Bearer a-token"}


def test_patience_ends(stub: Stub, speakr: Speakr, pauses: list[float]) -> None:
    stub.will(*[BUSY] * 20)
    with pytest.raises(ApiError) as failure:
        speakr.me()
    assert (failure.value.status, failure.value.code) == (503, "unavailable")
    assert pauses == list(PAUSES_SECONDS)
    assert len(stub.asked) == len(PAUSES_SECONDS) + 1


def test_a_server_that_wants_a_long_rest_gets_it(stub: Stub, speakr: Speakr, pauses: list[float]) -> None:
    stub.will(error(503, "unavailable", "Away.", Retry_After=str(MAX_WAIT_SECONDS + 1).removesuffix(".0")))
    with pytest.raises(ApiError):
        speakr.me()
    assert pauses == []


@pytest.mark.parametrize("failure", [BUSY, HANGS_UP], ids=["busy", "reset"])
def test_a_delete_is_not_sent_twice(failure: Answer, stub: Stub, speakr: Speakr, pauses: list[float]) -> None:
    """The second request would get a 404."""
    stub.will(failure)
    with pytest.raises(ClientError):
        speakr.delete(3)
    assert (len(stub.asked), pauses) == (1, [])


def test_a_delete_that_was_one_too_many_is_sent_again(stub: Stub, speakr: Speakr) -> None:
    stub.will(error(429, "rate_limited", "Too many.", Retry_After="1"), {"success": True})
    speakr.delete(3)
    assert [asked.path for asked in stub.asked] == ["/api/v1/recordings/3"] * 2


def test_what_changes_things_is_repeated_under_one_key(stub: Stub, speakr: Speakr) -> None:
    stub.will(HANGS_UP, BUSY, {"id": 1}, {"id": 2})
    speakr.create_webhook("a", "https://example.org/", ["recording.created"])
    speakr.create_webhook("a", "https://example.org/", ["recording.created"])
    first, second, third, other = [asked.headers["Idempotency-Key"] for asked in stub.asked]
    assert first == second == third != other


def test_a_refusal_is_shown_unchanged(stub: Stub, speakr: Speakr, pauses: list[float]) -> None:
    stub.will(
        Answer(400, {"error": "No.", "code": "invalid", "request_id": "r-9", "errors": {"q": ["is missing"]}})
    )
    with pytest.raises(ApiError) as failure:
        speakr.me()
    printed = failure.value
    assert (printed.status, printed.code, printed.message, printed.errors, printed.request_id) == (
        400, "invalid", "No.", {"q": ["is missing"]}, "r-9",
    )  # fmt: skip
    assert str(printed) == "No."
    assert pauses == []


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (Answer(200, b"<html>Welcome to nginx</html>"), "is not Speakr"),
        (Answer(200, b"[1]"), "is not Speakr"),
        (Answer(404, b"not here"), "404 Not Found"),
        (Answer(413, b"<html>"), "a proxy may stand in between"),
        (Answer(301, b"", {"Location": "https://elsewhere.example/"}), "https://elsewhere.example/"),
        (Answer(400, {"error": None}), "400"),
    ],
)
def test_a_server_other_than_speakr_is_reported(
    answer: Answer, sentence: str, stub: Stub, speakr: Speakr
) -> None:
    stub.will(answer)
    with pytest.raises(ApiError, match=sentence) as failure:
        speakr.me()
    assert failure.value.code == "not_speakr"
    assert len(stub.asked) == 1  # a redirect is not followed: the token goes nowhere else


def test_an_unreachable_server(pauses: list[float]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(Unreachable, match=f"http://127.0.0.1:{port} cannot be reached"):
        Speakr(f"http://127.0.0.1:{port}", "x", sleep=pauses.append).me()
    assert len(pauses) == len(PAUSES_SECONDS)


def test_the_token_is_sent_and_not_what_netrc_says(
    stub: Stub, speakr: Speakr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login ann password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    stub.will({"id": 1})
    speakr.me()
    assert stub.asked[0].headers["Authorization"] == "Bearer a-token"


# -- uploads


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / 'a "b".wav'
    path.write_bytes(b"sound" * 100_000)
    return path


def test_a_reset_in_the_middle_of_an_upload_and_again_under_the_same_key(
    stub: Stub, speakr: Speakr, recording: Path
) -> None:
    stub.will(
        Answer(hangs_up_after=100_000),
        error(409, "idempotency_in_flight", "Still at work."),
        error(503, "unavailable", "Away.", Retry_After="1"),
        Answer(202, RECORDING),
    )
    progress: list[tuple[int, int]] = []
    answer = speakr.upload(
        recording, title="Ünï", tags=["one", "two"], progress=lambda *printed: progress.append(printed)
    )
    assert answer["id"] == 7
    assert len({asked.headers["Idempotency-Key"] for asked in stub.asked}) == 1
    lengths = [int(asked.headers["Content-Length"]) for asked in stub.asked]
    assert {asked.length for asked in stub.asked[1:]} == set(lengths)
    assert len(set(lengths)) == 1
    body = stub.asked[-1].body
    assert b'name="title"\r\n\r\n' + "Ünï".encode() + b"\r\n" in body
    assert b'name="tags"\r\n\r\none\r\n' in body
    assert b'name="tags"\r\n\r\ntwo\r\n' in body
    assert b'name="file"; filename="a %22b%22.wav"' in body
    assert progress[-1] == (500_000, 500_000)


def test_two_uploads_have_two_keys(stub: Stub, speakr: Speakr, recording: Path) -> None:
    stub.will(Answer(202, RECORDING), Answer(202, RECORDING))
    speakr.upload(recording)
    speakr.upload(recording)
    assert len({asked.headers["Idempotency-Key"] for asked in stub.asked}) == 2


def test_a_big_file_is_never_held(
    stub: Stub, speakr: Speakr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = 200 * 1024 * 1024
    path = tmp_path / "long.wav"
    with path.open("wb") as file:
        file.truncate(size)
    pieces: list[int] = []
    from speakr.client.multipart import MultipartBody

    read = MultipartBody.read

    def counted(self: MultipartBody, most: int = -1) -> bytes:
        piece = read(self, most)
        pieces.append(len(piece))
        return piece

    monkeypatch.setattr(MultipartBody, "read", counted)
    stub.will(Answer(202, RECORDING))
    speakr.upload(path, resumable=False)
    assert max(pieces) <= 1024 * 1024
    assert sum(pieces) == stub.asked[0].length > size


@pytest.mark.parametrize("change", [b"more", b""], ids=["grows", "shrinks"])
def test_a_file_that_changes_meanwhile_is_not_finished(
    change: bytes, stub: Stub, speakr: Speakr, recording: Path
) -> None:
    def meddle(sent: int, _: int) -> None:
        if sent < 50_000:
            with recording.open("ab" if change else "r+b") as file:
                file.write(change) if change else file.truncate(100_000)

    stub.will(Answer(202, RECORDING))
    with pytest.raises(FileTrouble, match="changed while it was being sent"):
        speakr.upload(recording, progress=meddle)


def test_a_folder_or_nothing_is_no_upload(stub: Stub, speakr: Speakr, tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.wav"):
        with pytest.raises(OSError, match=str(path)):
            speakr.upload(path)
    assert stub.asked == []


# -- waiting, and going through pages


def test_waiting_asks_seldomer_and_seldomer(stub: Stub, speakr: Speakr, pauses: list[float]) -> None:
    pending = {"id": 7, "status": "PROCESSING", "progress": 10, "message": "Listening"}
    stub.will(*[pending] * 12, {**pending, "status": "FAILED"})
    seen: list[str] = []
    assert speakr.wait(7, on_status=lambda status: seen.append(status["status"]))["status"] == "FAILED"
    assert seen == ["PROCESSING"] * 12 + ["FAILED"]
    assert pauses == sorted(pauses)
    assert pauses[-1] == 5.0


def test_waiting_can_end_early(stub: Stub, speakr: Speakr) -> None:
    stub.will({"id": 7, "status": "PENDING"})
    with pytest.raises(TookTooLong, match="Recording 7 is still PENDING after 0 s"):
        speakr.wait(7, timeout=0)


def page(ids: list[int], *, has_next: bool) -> dict[str, object]:
    return {"recordings": [{"id": each} for each in ids], "pagination": {"has_next": has_next}}


def test_pages_are_fetched_lazily_without_repetitions(stub: Stub, speakr: Speakr) -> None:
    stub.will(page([5, 4], has_next=True), page([4, 3], has_next=True), page([2], has_next=False))
    going = speakr.recordings(query="a b", status="completed", per_page=2)
    assert stub.asked == []
    assert next(going)["id"] == 5
    assert len(stub.asked) == 1
    assert [each["id"] for each in going] == [4, 3, 2]
    assert stub.asked[-1].query == {"q": ["a b"], "status": ["completed"], "page": ["3"], "per_page": ["2"]}


# -- small things


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("http://a:8899/", "http://a:8899"),
        (" https://a.example/speakr/api/v1/ ", "https://a.example/speakr"),
        ("http://[::1]:8899", "http://[::1]:8899"),
    ],
)
def test_addresses(text: str, cleaned: str) -> None:
    assert clean_url(text) == cleaned


@pytest.mark.parametrize(
    "text",
    ["", "speakr.lan", "ftp://a", "http://", "http://a:b@c", "http://a?x=1", "http://[::1", "http://a:0"],
)
def test_no_addresses(text: str) -> None:
    with pytest.raises(ClientError, match="looks like"):
        clean_url(text)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("5", 5.0), (None, None), ("soon", None), ("-1", None), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0)],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(header) == seconds
