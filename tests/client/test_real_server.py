"""The client and a real server in separate processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from speakr.client import ApiError, Speakr
from tests.client.conftest import SAMPLE, Run
from tests.conftest import wav
from tests.intake.server import ALICE, BOB, LIMIT_MB, MEGABYTE, IntakeServer, wait_for


@pytest.fixture
def alice(real_server: IntakeServer) -> Iterator[Speakr]:
    with Speakr(f"http://127.0.0.1:{real_server.port}", ALICE) as client:
        yield client


@pytest.fixture
def bob(real_server: IntakeServer) -> Iterator[Speakr]:
    with Speakr(f"http://127.0.0.1:{real_server.port}", BOB) as client:
        yield client


def test_from_file_to_transcript(
    at_real_server: IntakeServer, alice: Speakr, run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "séance «1».flac"
    path.write_bytes(SAMPLE.read_bytes())
    made = json.loads(run("upload", path, "--wait", "--title", "Reading", "--json").stdout)
    number = made["id"]
    assert (made["title"], made["status"], made["original_filename"]) == ("Reading", "COMPLETED", path.name)
    assert f"{number}  COMPLETED" in run("list", "--query", "read").stdout
    text = run("transcript", number).stdout
    assert "John Dashwood" in text
    run("transcript", number, "--format", "srt", "-o", tmp_path / "out.srt")
    assert (tmp_path / "out.srt").read_text() == alice.transcript(number, "srt")
    segments = json.loads(run("transcript", number, "--format", "json").stdout)
    assert segments == alice.segments(number)
    assert segments[0]["start_time"] < segments[0]["end_time"] <= 18
    found = run("search", "john", "dash*", "selfish").stdout
    assert found.startswith(f"{number}  Reading\n    ")
    assert "transcript 0:00  " in found
    assert "<mark>" not in found
    assert run("search", "dashwood -selfish").stdout == ""
    assert "Extractive summary" in run("summary", number).stdout
    wait_for(lambda: alice.insights(number)["has_insights"], "insights, which follow the completed recording")
    printed = run("insights", number).stdout
    assert printed.startswith("Key points\n")
    assert "selfish" in printed
    found_before = alice.insights(number)
    assert {source["segment_id"] for each in found_before["key_points"] for source in each["sources"]}
    assert alice.events(number) == []
    assert "0:17" in run("show", number).stdout
    assert alice.segments(number, words=True)[0]["words"]
    assert alice.notes(number) is None
    assert alice.stats()["recordings"]["completed"] >= 1
    assert alice.transcribe(number, language="en")["status"] == "QUEUED"
    alice.wait(number, timeout=120)
    assert alice.extract(number)["status"] == "QUEUED"
    alice.wait(number, timeout=120)
    assert alice.summarize(number)["status"] == "QUEUED"
    assert alice.wait(number, timeout=120)["status"] == "COMPLETED"
    alice.delete(number)
    with pytest.raises(ApiError) as failure:
        alice.status(number)
    assert (failure.value.status, failure.value.code) == (404, "not_found")


def test_objects_of_another_user_do_not_exist(
    at_real_server: IntakeServer, bob: Speakr, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "a.wav").write_bytes(wav(0.2))
    number = bob.upload(tmp_path / "a.wav")["id"]
    assert run("show", number, exit_code=1).stderr == "Error: Recording not found\n"
    assert str(number) not in run("list", "--limit", 100).stdout.split()
    bob.delete(number)


@pytest.mark.parametrize(
    ("data", "code"), [(b"words, not sounds " * 99, "not_media"), (b"", "empty_file")], ids=["text", "empty"]
)
def test_a_refused_file(
    data: bytes, code: str, at_real_server: IntakeServer, alice: Speakr, run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(data)
    assert run("upload", path, exit_code=1).stderr.startswith("a.wav: ")
    with pytest.raises(ApiError) as failure:
        alice.upload(path)
    assert failure.value.code == code
    assert failure.value.request_id


@pytest.mark.parametrize("token", [ALICE, "wrong" * 9], ids=["too large", "not let in"])
def test_a_refusal_ends_the_sending_of_a_big_file(
    token: str, real_server: IntakeServer, tmp_path: Path
) -> None:
    path = tmp_path / "a.wav"
    with path.open("wb") as file:
        file.truncate(LIMIT_MB * 8 * MEGABYTE)
    pauses: list[float] = []
    with (
        Speakr(f"http://127.0.0.1:{real_server.port}", token, sleep=pauses.append) as client,
        pytest.raises(ApiError) as failure,
    ):
        client.upload(path)
    assert failure.value.code == ("too_large" if token == ALICE else "invalid_token")
    assert pauses == []


def test_the_same_key_again(alice: Speakr, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav(0.3))
    first = alice.upload(path, idempotency_key="a key of the client's tests")
    assert alice.upload(path, idempotency_key="a key of the client's tests") == first
    alice.delete(first["id"])


def test_webhooks(at_real_server: IntakeServer, run: Run) -> None:
    made = json.loads(
        run(
            "webhooks", "create", "n8n", "http://127.0.0.1:9000/", "--event", "recording.created", "--allow-http", "--json"
        ).stdout
    )  # fmt: skip
    number = made["id"]
    assert f"{number}  on  http://127.0.0.1:9000/  n8n" in run("webhooks", "list").stdout
    assert run("webhooks", "test", number).stdout.startswith("Delivery ")
    assert "pending  20" in run("webhooks", "deliveries", number).stdout
    assert run("webhooks", "rotate-secret", number).stdout.strip() not in {"", made["secret"]}
    run("webhooks", "delete", number)
    assert run("webhooks", "delete", number, exit_code=1).stderr == "Error: Webhook not found\n"
    refused = run("webhooks", "create", "n8n", "https://example.org/", "--event", "moon.rises", exit_code=1)
    assert "moon.rises" in refused.stderr


def test_tags(at_real_server: IntakeServer, alice: Speakr, run: Run, tmp_path: Path) -> None:
    assert at_real_server.request("POST", "/api/v1/tags", json={"name": "Estate"}).status_code == 201
    (tmp_path / "a.wav").write_bytes(wav(0.2))
    printed = run("upload", tmp_path / "a.wav", "--tag", "Estate", "--tag", "moon", "--json")
    number = json.loads(printed.stdout)["id"]
    assert printed.stderr == f"Recording {number} has no tag 'moon': you have none of this name.\n"
    assert run("list", "--tag", "Estate").stdout.split()[0] == str(number)
    assert run("list", "--tag", "moon").stdout == ""
    assert "tags      Estate\n" in run("show", number).stdout
    alice.delete(number)


def test_who_one_is(at_real_server: IntakeServer, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    printed = run("whoami")
    assert printed.stdout == f"You are alice at http://127.0.0.1:{at_real_server.port}.\n"
    assert printed.stderr == ""  # the token has all scopes that the commands need
    made = at_real_server.request("POST", "/api/v1/tokens", json={"scopes": ["read", "webhooks"]}).json()
    monkeypatch.setenv("SPEAKR_TOKEN", made["token"])
    assert run("whoami").stderr.splitlines() == [
        "This token lacks the scope write: upload, watch will be refused.",
        "This token lacks the scope process: transcribing and summarising again will be refused.",
    ]


# -- a watch that is killed

KILLED = """
import os, signal, sys
from speakr.client.api import Speakr
from speakr.client.journal import Journal
from speakr.client.watching import Watch
from speakr.cli import main

place, when = sys.argv.pop(1), sys.argv.pop(1)
owner = {"upload": Speakr, "_finish": Watch}.get(place, Journal)
real = getattr(owner, place)

def killed(*arguments, **more):
    if when == "after":
        real(*arguments, **more)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(owner, place, killed)
main()
"""


MOMENTS = (
    "before intend",
    "after intend",
    "before upload",
    "after upload",
    "before note_sent",
    "after note_sent",
    "after _finish",
)


@pytest.mark.parametrize(
    ("moment", "done"),
    [
        *((moment, "keep") for moment in MOMENTS),
        *((moment, done) for moment in MOMENTS[-3:] for done in ("move", "delete")),
    ],
)
def test_a_watch_killed_at_any_moment_loses_nothing_and_sends_nothing_twice(
    moment: str, done: str, at_real_server: IntakeServer, bob: Speakr, tmp_path: Path
) -> None:
    folder = tmp_path / "recordings"
    folder.mkdir()
    name = f"{moment} {done}.wav".replace(" ", "-")
    (folder / name).write_bytes(wav(0.2))
    arguments = ["watch", str(folder), "--once", "--interval", "0.1", "--done", done]
    environment = {**os.environ, "SPEAKR_TOKEN": BOB}
    when, place = moment.split()
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, place, when, *arguments],
        env=environment, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert killed.returncode == -9, killed.stderr
    for _ in range(2):
        subprocess.run(
            [sys.executable, "-m", "speakr", *arguments],
            env=environment, capture_output=True, timeout=60, check=True,
        )  # fmt: skip
    stored = [each["id"] for each in bob.recordings() if each["original_filename"] == name]
    assert len(stored) == 1
    left = {path.name for path in folder.rglob("*.wav")}
    assert left == (set() if done == "delete" else {name})
    assert (folder / name).exists() == (done == "keep")
    bob.delete(stored[0])
