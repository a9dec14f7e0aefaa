"""A watched folder: what is uploaded, what is not, and that nothing is uploaded twice."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from speakr.client import ApiError, ClientError, Speakr
from speakr.client.journal import NAME, Journal
from speakr.client.watching import Done, Watch
from tests.client.conftest import Run
from tests.client.stub import HANGS_UP, Answer, Asked, Stub, error

ME = "ann (user 1) at http://here"
DAY_SECONDS = 24 * 3600.0

NewWatch = Callable[..., Watch]


def taken(number: int, **more: Any) -> Answer:
    return Answer(202, {"id": number, "title": "x", "status": "PENDING", **more})


def uploads(stub: Stub) -> list[Asked]:
    return [asked for asked in stub.asked if asked.path.endswith("/upload")]


def keys(stub: Stub) -> list[str]:
    return [asked.headers["Idempotency-Key"] for asked in uploads(stub)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "recordings"
    made.mkdir()
    return made


@pytest.fixture
def log() -> list[str]:
    return []


@pytest.fixture
def new_watch(speakr: Speakr, folder: Path, log: list[str]) -> Iterator[NewWatch]:
    """Start a watch; the one before it ends, as if it had been killed."""
    journals: list[Journal] = []

    def start(**more: Any) -> Watch:
        for journal in journals:
            journal.__exit__()
        journals.append(Journal(folder, ME))
        return Watch(speakr, folder, journals[-1], **{"tell": log.append, "warn": log.append, **more})

    yield start
    for journal in journals:
        journal.__exit__()


def test_a_file_is_taken_when_it_has_stopped_growing(
    stub: Stub, folder: Path, new_watch: NewWatch, log: list[str]
) -> None:
    path, watch = folder / "a.wav", new_watch()
    path.write_bytes(b"")
    for more in (b"", b"some", b"more"):
        with path.open("ab") as file:
            file.write(more)
        watch.look()
    assert stub.asked == []
    stub.will(taken(7))
    assert watch.look() == []
    assert watch.look() == []
    assert b"\r\n\r\nsomemore\r\n--" in uploads(stub)[0].body
    assert len(stub.asked) == 1
    assert log == ["a.wav is recording 7."]


def test_a_file_that_is_overwritten_is_another_recording(
    stub: Stub, folder: Path, new_watch: NewWatch
) -> None:
    stub.will(taken(7), taken(8))
    watch = new_watch()
    for content in (b"one", b"two"):
        (folder / "a.wav").write_bytes(content)
        watch.look()
        watch.look()
    assert len(set(keys(stub))) == 2


def test_a_file_that_grows_while_it_is_sent_is_taken_later(
    stub: Stub, speakr: Speakr, folder: Path, new_watch: NewWatch, log: list[str]
) -> None:
    path, watch = folder / "a.wav", new_watch()
    path.write_bytes(b"x" * 500_000)
    watch.look()
    upload = speakr.upload

    def growing(*arguments: Any, **more: Any) -> Any:
        with path.open("ab") as file:
            file.write(b"y")
        return upload(*arguments, **more)

    speakr.upload = growing  # type: ignore[method-assign]
    assert watch.look() == ["a.wav"]
    assert stub.asked == []
    speakr.upload = upload  # type: ignore[method-assign]
    assert watch.look() == ["a.wav"]
    stub.will(taken(7))
    assert watch.look() == []
    assert log == [
        "a.wav has to wait: a.wav changed while it was being sent; send it again.",
        "a.wav is recording 7.",
    ]


def look_twice(watch: Watch) -> None:
    watch.look()
    watch.look()


def test_the_next_run_knows_what_was_uploaded(
    stub: Stub, folder: Path, new_watch: NewWatch, log: list[str]
) -> None:
    (folder / "a.wav").write_bytes(b"one")
    stub.will(taken(7))
    look_twice(new_watch())
    look_twice(new_watch())
    (folder / "a.wav").rename(folder / "b.wav")
    (folder / "c.wav").write_bytes(b"one")
    look_twice(new_watch())
    look_twice(new_watch())
    assert len(stub.asked) == 1
    assert log == [
        "a.wav is recording 7.",
        "b.wav is recording 7 already.",
    ]  # c.wav has the same bytes, and is reported


def test_a_lost_answer_is_asked_for_again_as_it_was(stub: Stub, folder: Path, new_watch: NewWatch) -> None:
    """Other options, another name: the request that may have arrived is repeated unchanged."""
    path = folder / "a.wav"
    path.write_bytes(b"one")
    stub.will(*[HANGS_UP] * 8)
    look_twice(new_watch(options={"language": "en", "tags": ["t"]}))
    path = path.rename(folder / "b.wav")
    os.utime(path, (1, 1))
    stub.will(taken(7))
    look_twice(new_watch(options={"language": "de"}))
    assert len(set(keys(stub))) == 1
    first, last = uploads(stub)[0], uploads(stub)[-1]
    boundary = [asked.headers["Content-Type"].rpartition("=")[2].encode() for asked in (first, last)]
    assert last.body == stub_body(uploads(stub)[-1], boundary[1])
    assert b'filename="a.wav"' in last.body
    assert b"\r\n\r\nen\r\n" in last.body


def stub_body(asked: Asked, boundary: bytes) -> bytes:
    """Check that a body is complete."""
    assert asked.body.startswith(b"--" + boundary)
    assert asked.body.endswith(b"--" + boundary + b"--\r\n")
    return asked.body


def test_after_the_key_expires_bytes_are_compared(
    stub: Stub, folder: Path, new_watch: NewWatch, log: list[str]
) -> None:
    """The server has dropped the key and stored the file again; it reports that, and the second one is deleted."""
    (folder / "a.wav").write_bytes(b"one")
    stub.will(*[HANGS_UP] * 8)
    look_twice(new_watch(clock=lambda: 0.0))
    again = taken(9, duplicate_warning={"existing_recording_id": 7})
    stub.will(again, HANGS_UP)  # the deletion is lost, too
    look_twice(new_watch(clock=lambda: DAY_SECONDS))
    stub.will(again, error(404, "not_found", "Recording not found"))
    look_twice(new_watch(clock=lambda: DAY_SECONDS))
    assert stub.asked[-1].path == "/api/v1/recordings/9"
    assert log[-1] == "a.wav is recording 7."
    asked = len(stub.asked)
    look_twice(new_watch())
    assert len(stub.asked) == asked


def test_a_copy_that_was_there_before_is_no_reason_to_delete(
    stub: Stub, folder: Path, new_watch: NewWatch, log: list[str]
) -> None:
    (folder / "a.wav").write_bytes(b"one")
    stub.will(taken(9, duplicate_warning={"existing_recording_id": 7}))
    look_twice(new_watch())
    assert [asked.method for asked in stub.asked] == ["POST"]
    assert log == ["a.wav is recording 9."]


# -- files afterwards


def test_moving_replaces_nothing(stub: Stub, folder: Path, new_watch: NewWatch) -> None:
    watch = new_watch(done=Done.MOVE)
    for number, content in enumerate([b"one", b"two", b"three"]):
        (folder / "a.wav").write_bytes(content)
        stub.will(taken(number))
        look_twice(watch)
    assert {path.name: path.read_bytes() for path in (folder / "done").iterdir()} == {
        "a.wav": b"one",
        "a (2).wav": b"two",
        "a (3).wav": b"three",
    }
    assert [path.name for path in folder.iterdir() if path.is_file()] == [NAME]


def test_deleting(stub: Stub, folder: Path, new_watch: NewWatch) -> None:
    watch = new_watch(done=Done.DELETE)
    stub.will(HANGS_UP, error(507, "out_of_space", "Full."), taken(7))
    (folder / "a.wav").write_bytes(b"one")
    look_twice(watch)
    assert (folder / "a.wav").exists()  # no file is removed before the server has it
    watch.look()
    assert not (folder / "a.wav").exists()
    (folder / "a.wav").write_bytes(b"one")
    stub.will({"id": 7, "status": "COMPLETED"})
    look_twice(watch)
    assert not (folder / "a.wav").exists()
    assert len(uploads(stub)) == 3


def test_what_the_server_has_no_longer_is_sent_anew_before_it_is_deleted_here(
    stub: Stub, folder: Path, new_watch: NewWatch, log: list[str]
) -> None:
    stub.will(taken(7), error(404, "not_found", "Recording not found"), taken(8))
    for _ in range(2):
        (folder / "a.wav").write_bytes(b"one")
        os.utime(folder / "a.wav", (1, 1))
        look_twice(new_watch(done=Done.DELETE))
        assert not (folder / "a.wav").exists()
    assert log == ["a.wav is recording 7.", "a.wav is recording 8."]
    assert len(set(keys(stub))) == 2


# -- ignored files


@pytest.mark.parametrize(
    "name",
    ["Neue Aufnahme 3.qta", "b.bwf", "a.3gpp", "a.AIFC", "a.mpga", "a.weba", "a.f4v", "a.vob", "a.m4r"],
)
def test_names_of_recorders_are_taken(
    stub: Stub, folder: Path, new_watch: NewWatch, log: list[str], name: str
) -> None:
    (folder / name).write_bytes(b"sound")
    stub.will(Answer(202, {"id": 2, "title": "Recording", "status": "PENDING"}))
    look_twice(new_watch())
    assert log == [f"{name} is recording 2."]


def test_other_files_are_reported_once(stub: Stub, folder: Path, new_watch: NewWatch, log: list[str]) -> None:
    (folder / "notes.txt").write_text("notes")
    (folder / ".hidden.wav").write_text("half a copy")
    (folder / "folder.wav").mkdir()
    (folder / "lost.wav").symlink_to(folder / "missing")
    look_twice(new_watch())
    look_twice(new_watch())
    assert stub.asked == []
    assert log == ["notes.txt is skipped: no audio or video by its name; --pattern takes others."]


def test_a_pattern_takes_what_it_says(stub: Stub, folder: Path, new_watch: NewWatch, log: list[str]) -> None:
    for name in ("a.wav", "b.rec", "notes.txt"):
        (folder / name).write_text(name)
    stub.will(taken(7))
    look_twice(new_watch(patterns=["*.rec", "*.snd"]))
    assert log == ["b.rec is recording 7."]


def test_a_refused_file_is_reported_once_and_retried_when_changed(
    stub: Stub, folder: Path, new_watch: NewWatch, log: list[str]
) -> None:
    path = folder / "a.wav"
    path.write_bytes(b"one")
    stub.will(error(400, "not_media", "This is not an audio or video file."))
    look_twice(new_watch(done=Done.DELETE))
    look_twice(new_watch(done=Done.DELETE))
    assert log == ["a.wav is skipped: This is not an audio or video file."]
    assert path.exists()
    os.utime(path, (1, 1))
    stub.will(taken(7))
    look_twice(new_watch(done=Done.DELETE))
    assert not path.exists()


def test_a_failure_is_reported_once_and_does_not_stop_others(
    stub: Stub, folder: Path, new_watch: NewWatch, log: list[str]
) -> None:
    for name in ("a.wav", "b.wav"):
        (folder / name).write_text(name)
    watch = new_watch()
    watch.look()
    stub.will(error(500, "internal_error", "Ours."), taken(7), error(500, "internal_error", "Ours."))
    assert watch.look() == ["a.wav"]
    assert watch.look() == ["a.wav"]
    stub.will(taken(8))
    assert watch.look() == []
    assert log == ["a.wav has to wait: Ours.", "b.wav is recording 7.", "a.wav is recording 8."]


def test_a_token_that_is_no_longer_good_ends_it(stub: Stub, folder: Path, new_watch: NewWatch) -> None:
    (folder / "a.wav").write_bytes(b"one")
    watch = new_watch()
    watch.look()
    stub.will(error(401, "invalid_token", "Revoked."))
    with pytest.raises(ApiError, match=r"Revoked\."):
        watch.look()


def test_a_folder_that_is_gone_ends_it(folder: Path, new_watch: NewWatch) -> None:
    watch = new_watch()
    folder.rename(folder.with_name("elsewhere"))
    with pytest.raises(ClientError, match="cannot be read"):
        watch.look()


# -- the journal


def test_a_torn_line_counts_as_not_written(
    stub: Stub, folder: Path, new_watch: NewWatch, log: list[str]
) -> None:
    (folder / "a.wav").write_bytes(b"one")
    stub.will(taken(7), taken(7))
    look_twice(new_watch())
    journal = folder / NAME
    whole = journal.read_bytes()
    at = whole.index(b'{"what": "sent"')
    journal.write_bytes(whole[: at + 20])  # simulates a power failure here
    look_twice(new_watch())
    look_twice(new_watch())
    assert len(set(keys(stub))) == 1
    assert len(stub.asked) == 2
    assert log == ["a.wav is recording 7."] * 2


@pytest.mark.parametrize("end", range(0, 700, 7))
def test_any_part_of_a_journal_can_be_read(end: int, folder: Path, tmp_path: Path) -> None:
    with Journal(folder, ME) as journal:
        journal.note_sent("content", 7)
        journal.skip("näme \udcff")
        for number in range(10):
            journal.note_sent(f"content {number}", number)
    part = (folder / NAME).read_bytes()[:end]
    (folder / NAME).write_bytes(part)
    with Journal(folder, ME) as journal:
        whole = [json.loads(line) for line in part[: part.rfind(b"}") + 1].splitlines() if line]
        assert len(journal.sent) == sum(log["what"] == "sent" for log in whole)
        journal.note_sent("more", 8)
    with Journal(folder, ME) as journal:
        assert journal.sent["more"] == 8


# -- the command


@pytest.fixture
def at_stub(logged_in: Stub) -> Stub:
    logged_in.will({"id": 1, "username": "ann"})
    return logged_in


def test_once(at_stub: Stub, run: Run, folder: Path) -> None:
    (folder / "a.wav").write_bytes(b"one")
    (folder / "notes.txt").write_bytes(b"one")
    at_stub.will(taken(7), {"tags": [], "folder_id": None})
    log = run("watch", folder, "--once", "--interval", 0.1, "--tag", "t", "--done", "move")
    assert log.stdout == "a.wav is recording 7.\n"
    assert log.stderr.splitlines() == [
        "notes.txt is skipped: no audio or video by its name; --pattern takes others.",
        "Recording 7 has no tag 't': you have none of this name.",
    ]
    assert (folder / "done" / "a.wav").exists()


def test_once_with_nothing_to_do(at_stub: Stub, run: Run, folder: Path) -> None:
    assert run("watch", folder, "--once").output == ""


def test_once_that_did_not_get_everything_done(at_stub: Stub, run: Run, folder: Path) -> None:
    (folder / "a.wav").write_bytes(b"one")
    at_stub.will(error(507, "out_of_space", "Full."))
    log = run("watch", folder, "--once", "--interval", 0.1, exit_code=1)
    assert log.stderr == "a.wav has to wait: Full.\nError: Left for next time: a.wav\n"


def test_ctrl_c_ends_it_well(at_stub: Stub, run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("speakr.client.commands.watch.time.sleep", interrupt)
    assert run("watch", folder).stderr == f"Watching {folder}; Ctrl-C stops it.\n"
