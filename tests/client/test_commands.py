"""The commands, against a server with scripted responses."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.client.conftest import Run, command
from tests.client.stub import Answer, Stub, error

TIMES = {"created_at": "2026-11-21T10:41:13Z", "meeting_date": None}


def recording(number: int, title: str = "Stand-up", **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "title": title,
        "status": "COMPLETED",
        "audio_duration": 3723.4,
        "original_filename": "a.wav",
        "file_size": 5,
        "participants": None,
        "tags": [],
        "folder": None,
        "folder_id": None,
        **TIMES,
        **more,
    }


def pages(key: str, *items: dict[str, Any]) -> dict[str, Any]:
    return {key: list(items), "pagination": {"has_next": False}}


def status(state: str = "COMPLETED", **more: Any) -> dict[str, Any]:
    return {
        "id": 7,
        "status": state,
        "progress": 100,
        "message": "Done",
        "queue_position": None,
        "error_message": None,
        "error_code": None,
        **more,
    }


# -- list, show


def test_list(logged_in: Stub, run: Run) -> None:
    logged_in.will(
        pages("recordings", recording(12), recording(7, "Two\nlines \x1b[31mred", status="FAILED"))
    )
    lines = run(
        "list", "--status", "completed", "--query", "x", "--tag", "t", "--limit", "5"
    ).stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [["12", "COMPLETED"], ["7", "FAILED"]]
    assert lines[0].endswith("1:02:03  Stand-up")
    assert lines[1].endswith("Two lines \ufffd[31mred")  # titles of other users cannot control the terminal
    assert logged_in.asked[0].query == {
        "status": ["completed"], "q": ["x"], "tag": ["t"], "per_page": ["5"], "page": ["1"],
    }  # fmt: skip


def test_list_of_nothing(logged_in: Stub, run: Run) -> None:
    logged_in.will(pages("recordings"))
    assert run("list").stdout == ""


def test_list_as_json_goes_on_to_the_limit(logged_in: Stub, run: Run) -> None:
    first = {**pages("recordings", *map(recording, range(250, 150, -1))), "pagination": {"has_next": True}}
    logged_in.will(first, pages("recordings", *map(recording, range(150, 50, -1))))
    found = json.loads(run("list", "--limit", "150", "--json").stdout)
    assert [each["id"] for each in found] == list(range(250, 100, -1))


def test_show(logged_in: Stub, run: Run) -> None:
    logged_in.will(
        recording(7, tags=[{"name": "a"}, {"name": "b"}], folder={"name": "Work"}),
        status("PROCESSING", progress=40, queue_position=2),
        {"notes": "Ask about the estate."},
    )
    printed = run("show", 7).stdout
    assert "PROCESSING, 40 %, place 2 in the queue" in printed
    assert "a, b" in printed
    assert printed.endswith("\n\nAsk about the estate.\n")


def test_show_a_failure(logged_in: Stub, run: Run) -> None:
    logged_in.will(recording(7), status("FAILED", error_message="No sound.", error_code="x"), {"notes": None})
    assert "FAILED: No sound. (x)" in run("show", 7).stdout


def test_show_as_json(logged_in: Stub, run: Run) -> None:
    logged_in.will(recording(7, summary="Ünï \x1b[31m\x9b31m"))
    shown = run("show", 7, "--json").stdout
    assert json.loads(shown)["summary"] == "Ünï \x1b[31m\x9b31m"
    assert "Ünï" in shown
    assert not {"\x1b", "\x9b"} & set(shown)


# -- texts


@pytest.mark.parametrize("name", ["text", "srt", "vtt"])
def test_transcript(name: str, logged_in: Stub, run: Run, tmp_path: Path) -> None:
    logged_in.will(*[{"format": name, "content": "one\r\ntwo"}] * 2)
    assert run("transcript", 7, "--format", name).stdout_bytes == b"one\r\ntwo\n"
    assert run("transcript", 7, "--format", name, "-o", tmp_path / "out").stdout == ""
    assert (tmp_path / "out").read_bytes() == b"one\r\ntwo\n"
    assert logged_in.asked[0].query == {"format": [name]}


def test_transcript_as_json(logged_in: Stub, run: Run, tmp_path: Path) -> None:
    segments = [{"speaker": "Ann", "sentence": "Ünï", "start_time": 0.0, "end_time": 1.0}]
    logged_in.will(*[{"format": "json", "segments": segments}] * 2)
    assert json.loads(run("transcript", 7, "--format", "json").stdout) == segments
    run("transcript", 7, "--format", "json", "--output", tmp_path / "out")
    assert json.loads((tmp_path / "out").read_text()) == segments


def test_transcript_to_nowhere(logged_in: Stub, run: Run, tmp_path: Path) -> None:
    logged_in.will({"format": "text", "content": "one"})
    printed = run("transcript", 7, "-o", tmp_path / "missing" / "out", exit_code=2)
    assert "cannot be written: No such file or directory" in printed.stderr


def test_summary(logged_in: Stub, run: Run) -> None:
    logged_in.will({"summary": "# One\n", "has_summary": True}, {"summary": None, "has_summary": False})
    assert run("summary", 7).stdout == "# One\n"
    assert run("summary", 7, exit_code=1).stderr == "Error: Recording 7 has no summary.\n"


def test_search(logged_in: Stub, run: Run) -> None:
    matches = [
        {
            "field": "transcript",
            "snippet": "&lt;the&gt; <mark>es\x1btate</mark> &amp;",
            "start_time": 65.2,
        },
        {"field": "title", "snippet": "<mark>Estate</mark>", "start_time": None},
    ]
    logged_in.will(*[pages("results", {"recording": recording(7, "Estate"), "matches": matches})] * 2)
    assert run("search", "the", "estate", "--limit", "3").stdout == (
        "7  Estate\n    transcript 1:05  <the> es\ufffdtate &\n    title  Estate\n"
    )
    assert logged_in.asked[0].path == "/api/v1/search"
    assert logged_in.asked[0].query == {"q": ["the estate"], "per_page": ["3"], "page": ["1"]}
    assert json.loads(run("search", "estate", "--json").stdout)[0]["matches"] == matches


# -- upload


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    made = [tmp_path / "a.wav", tmp_path / "b.wav"]
    for path in made:
        path.write_bytes(path.name.encode())
    return made


def taken(number: int, **more: Any) -> Answer:
    return Answer(202, {"id": number, "title": f"Recording - {number}", "status": "PENDING", **more})


def test_upload(logged_in: Stub, run: Run, files: list[Path]) -> None:
    logged_in.will(taken(1), taken(2, duplicate_warning={"existing_recording_id": 1}))
    printed = run("upload", *files, "--language", "en", "--min-speakers", 2, "--max-speakers", 3)
    assert printed.stdout == "Recording 1 is queued: Recording - 1\nRecording 2 is queued: Recording - 2\n"
    assert printed.stderr == "Recording 1 has the same content.\n"
    body = logged_in.asked[0].body.decode()
    for name, value in {"language": "en", "min_speakers": "2", "max_speakers": "3"}.items():
        assert f'name="{name}"\r\n\r\n{value}\r\n' in body
    assert 'name="file_time_hint"\r\n\r\n' in body
    assert 'name="file_last_modified"' not in body


def test_upload_and_wait(logged_in: Stub, run: Run, files: list[Path]) -> None:
    logged_in.will(taken(7), status("PROCESSING", progress=10), status(), recording(7, "A title"))
    printed = run("upload", files[0], "--wait", "--title", "x")
    assert printed.stdout == "Recording 7 is done: A title\n"
    assert printed.stderr == "Recording 7 is queued: Recording - 7\n"


def test_upload_and_wait_for_a_failure(logged_in: Stub, run: Run, files: list[Path]) -> None:
    failed = status("FAILED", error_message="Nothing can be heard.", error_code="undecodable")
    logged_in.will(taken(7), taken(8), failed, status(), recording(8))
    printed = run("upload", *files, "--wait", exit_code=1)
    assert "Recording 7 failed: Nothing can be heard. (undecodable)\n" in printed.stderr
    assert printed.stderr.endswith("Error: 1 of 2 failed.\n")
    assert printed.stdout == "Recording 8 is done: Stand-up\n"


def test_upload_as_json(logged_in: Stub, run: Run, files: list[Path]) -> None:
    logged_in.will(taken(7))
    assert json.loads(run("upload", files[0], "--json").stdout)["id"] == 7
    logged_in.will(taken(8), status(), recording(8))
    assert json.loads(run("upload", files[0], "--json", "--wait").stdout)["title"] == "Stand-up"


def test_one_refused_file_does_not_stop_the_others(logged_in: Stub, run: Run, files: list[Path]) -> None:
    logged_in.will(error(400, "not_media", "This is not an audio or video file."), taken(2))
    printed = run("upload", *files, exit_code=1)
    assert printed.stderr.splitlines()[0] == "a.wav: This is not an audio or video file."
    assert printed.stdout == "Recording 2 is queued: Recording - 2\n"


def test_a_refusal_of_everything_stops(logged_in: Stub, run: Run, files: list[Path]) -> None:
    logged_in.will(error(403, "scope_missing", "This token lacks the scope 'write'."))
    printed = run("upload", *files, exit_code=1)
    assert printed.stderr == "Error: This token lacks the scope 'write'.\n"
    assert len(logged_in.asked) == 1


def test_unknown_tags_and_folders_are_reported(logged_in: Stub, run: Run, files: list[Path]) -> None:
    logged_in.will(taken(7), recording(7, tags=[{"name": "One"}]))
    printed = run("upload", files[0], "--tag", "one", "--tag", "two", "--folder", 5)
    assert printed.stderr == (
        "Recording 7 has no tag 'two': you have none of this name.\n"
        "Recording 7 is in no folder: you have none with this id.\n"
    )


def fetched(state: str, received: int = 0, **more: Any) -> Answer:
    body = {"id": 5, "state": state, "size_bytes": 100, "received_bytes": received, "recording_id": None}
    return Answer(200, {**body, "error": None, **more})


def test_upload_of_a_url(logged_in: Stub, run: Run) -> None:
    ready = fetched("completed", 100, recording_id=7)
    logged_in.will(fetched("queued"), fetched("fetching", 50), ready, recording(7, "A title"))
    printed = run("upload", "https://files.example.com/a.wav", "--title", "A title", "--language", "en")
    assert printed.stdout == "Recording 7 is queued: A title\n"
    assert (logged_in.asked[0].method, logged_in.asked[0].path) == ("POST", "/api/v1/recordings/from-url")
    assert json.loads(logged_in.asked[0].body) == {
        "url": "https://files.example.com/a.wav", "title": "A title", "language": "en",
    }  # fmt: skip
    assert [asked.path for asked in logged_in.asked[1:]] == ["/api/v1/uploads/5"] * 2 + [
        "/api/v1/recordings/7"
    ]


def test_a_url_that_cannot_be_fetched_does_not_stop_the_others(
    logged_in: Stub, run: Run, files: list[Path]
) -> None:
    error_of_fetch = {"code": "not_found", "error": "The server has no such file (404)."}
    logged_in.will(fetched("failed", error=error_of_fetch), taken(2))
    printed = run("upload", "http://files.example.com/a.wav", files[0], exit_code=1)
    assert printed.stderr.splitlines()[0] == (
        "http://files.example.com/a.wav: The server has no such file (404)."
    )
    assert printed.stdout == "Recording 2 is queued: Recording - 2\n"


@pytest.mark.parametrize("arguments", [(), ("missing.wav",), (".",)])
def test_upload_misuse(arguments: tuple[str, ...], run: Run) -> None:
    run("upload", *arguments, exit_code=2)


def test_a_title_is_for_one_file(logged_in: Stub, run: Run, files: list[Path]) -> None:
    assert "--title is for one file" in run("upload", *files, "--title", "x", exit_code=2).stderr


# -- webhooks

WEBHOOK = {"id": 3, "name": "n8n", "url": "https://a/", "enabled": True, "auto_paused": False}


def test_webhooks(logged_in: Stub, run: Run) -> None:
    paused, off = {"enabled": False, "auto_paused": True}, {"enabled": False}
    logged_in.will(
        {"webhooks": [WEBHOOK, {**WEBHOOK, **paused}, {**WEBHOOK, **off}]}, {"webhooks": [WEBHOOK]}
    )
    assert run("webhooks", "list").stdout.splitlines() == [
        "3  on      https://a/  n8n",
        "3  paused  https://a/  n8n",
        "3  off     https://a/  n8n",
    ]
    assert json.loads(run("webhooks", "list", "--json").stdout) == [WEBHOOK]


def test_a_new_webhook_and_a_new_secret(logged_in: Stub, run: Run) -> None:
    logged_in.will(*[Answer(201, {**WEBHOOK, "secret": "s3cret"})] * 2, {**WEBHOOK, "secret": "another"})
    made = run("webhooks", "create", "n8n", "http://a/", "--event", "x", "--event", "y", "--allow-http")
    assert made.stdout == "s3cret\n"
    assert json.loads(logged_in.asked[0].body) == {
        "name": "n8n", "url": "http://a/", "events": ["x", "y"], "allow_http": True,
    }  # fmt: skip
    assert (
        json.loads(run("webhooks", "create", "a", "b", "--event", "x", "--json").stdout)["secret"] == "s3cret"
    )
    assert run("webhooks", "rotate-secret", 3).stdout == "another\n"
    run("webhooks", "create", "n8n", "http://a/", exit_code=2)


def test_testing_a_webhook(logged_in: Stub, run: Run) -> None:
    delivery = {
        "id": 4,
        "status": "failed",
        "event_type": "webhook.test",
        "created_at": TIMES["created_at"],
        "response_status": None,
        "error_message": "No\nroute",
    }
    logged_in.will(Answer(202, delivery), *[{"deliveries": [delivery]}] * 2, Answer(204))
    assert run("webhooks", "test", 3).stdout == "Delivery 4 is queued.\n"
    assert run("webhooks", "deliveries", 3).stdout.endswith("webhook.test  No route\n")
    assert json.loads(run("webhooks", "deliveries", 3, "--json", "--limit", 5).stdout) == [delivery]
    assert logged_in.asked[-1].query == {"limit": ["5"]}
    assert run("webhooks", "delete", 3).stdout == "Webhook 3 is removed.\n"


# -- failures


def test_a_failure_is_one_sentence(logged_in: Stub, run: Run) -> None:
    logged_in.will(error(404, "not_found", "Recording not found"), error(500, "internal_error", "Our fault."))
    assert run("show", 9, exit_code=1).stderr == "Error: Recording not found\n"
    assert run("show", 9, exit_code=1).stderr == "Error: Our fault. (request r-1)\n"


def test_an_answer_of_another_shape_is_one_sentence(logged_in: Stub, run: Run) -> None:
    logged_in.will({"name": "some other service"})
    assert run("whoami", exit_code=1).stderr.startswith("Error: The answer has no 'username'")


def test_a_terminal_shows_how_far_it_is(logged_in: Stub, files: list[Path]) -> None:
    working = status("PROCESSING", progress=40, message="Listening \x1b[31m")
    logged_in.will(taken(7), working, status(), recording(7))
    ours, theirs = pty.openpty()
    done = subprocess.run(
        command("upload", files[0], "--wait"), stderr=theirs, stdout=subprocess.PIPE, check=True, timeout=60
    )
    os.close(theirs)
    screen = b""
    with contextlib.suppress(OSError):  # how a terminal ends
        while piece := os.read(ours, 4096):
            screen += piece
    os.close(ours)
    shown = screen.decode()
    assert done.stdout == b"Recording 7 is done: Stand-up\n"
    assert "a.wav" in shown
    assert " 40%  Listening \ufffd" in shown
    assert shown.count("100%") >= 2


def test_a_reader_that_leaves_is_no_trouble(logged_in: Stub) -> None:
    logged_in.will(*[pages("recordings", *map(recording, range(100)))] * 2)
    writer = subprocess.Popen(command("list", "--limit", 100), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert writer.stdout is not None
    writer.stdout.close()
    _, complaints = writer.communicate(timeout=60)
    assert complaints == b""


def test_the_server_does_not_pay_for_the_client() -> None:
    program = (
        "import sys; from speakr.cli import main; main(['up', '--help'], standalone_mode=False);"
        "assert not {'speakr.client', 'requests'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)


def test_the_class_needs_requests_only() -> None:
    program = (
        "import sys, requests; before = set(sys.modules); import speakr.client;"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before};"
        "assert not new - {'speakr'} - sys.stdlib_module_names, new"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_every_command_can_be_found(run: Run) -> None:
    from speakr.client.commands import COMMANDS

    for name in COMMANDS:
        assert run(name, "--help").stdout.startswith("Usage:")
    assert "No such command" in run("uplaod", exit_code=2).stderr
