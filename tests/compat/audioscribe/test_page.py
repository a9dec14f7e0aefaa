"""docs/compat/audioscribe.md: its commands run as printed, and their answers have the printed form."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest

from tests.compat.audioscribe.matrix import PREFIX
from tests.compat.exchanges import upload
from tests.crash.speech import short_recording
from tests.docs.pages import blocks, read, table
from tests.intake.server import ALICE, IntakeServer
from tests.webhooks.receiver import Receiver

pytestmark = pytest.mark.stack

PAGE = read("compat/audioscribe.md")
HOOK = "https://hooks.example.com/a1"
KEYS = ["id", "title", "note", "originalTranscript", "tags", "createdAt"]


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with Receiver() as made:
        yield made


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IntakeServer]:
    settings = {"WEBHOOK_INTRANET_HOST_ALLOWLIST": "127.0.0.1/32"}
    with IntakeServer(tmp_path_factory.mktemp("page"), **settings) as made:
        made.start_worker()
        made.start_dispatcher()
        yield made


def test_commands_run_as_printed(server: IntakeServer, receiver: Receiver) -> None:
    (variables,) = [block.text for block in blocks(PAGE) if block.text.startswith("server=")]
    real = variables.replace("http://127.0.0.1:8899", f"http://127.0.0.1:{server.port}")
    real = real.replace("<your token>", ALICE)
    commands = [block.text for block in blocks(PAGE) if block.language == "sh"]
    assert upload(server, short_recording(), title="Stand-up") == "1"
    answers = []
    for command in commands:
        script = real + command.replace("curl ", "curl -sS --fail ").replace(HOOK, receiver.url("/a1"))
        done = subprocess.run(["/bin/bash", "-ec", script], capture_output=True, text=True, check=False)
        assert done.returncode == 0, (command, done.stderr)
        answers.append(json.loads(done.stdout))
    listed, one, me = answers
    assert [list(session) for session in listed] == [KEYS]
    assert one == listed[0]
    assert me["preferences"]["audioscribe_webhook_url"] == receiver.url("/a1")
    number = upload(server, short_recording(), title="Sent")
    (sent,) = receiver.wait_for(1, "/a1", timeout=60)
    assert json.loads(sent.body) == server.get(f"{PREFIX}/sessions/{number}/")


def test_printed_answers_have_the_six_keys() -> None:
    for block in blocks(PAGE):
        if block.language == "json":
            shown = json.loads(block.text)
            for session in shown if isinstance(shown, list) else [shown]:
                assert list(session) == KEYS
    assert table(PAGE, "key").codes() == KEYS
