"""The example of docs/api/uploads.md, run as it stands."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from speakr.domain.uploads import UploadState
from speakr.web import tus
from tests.conftest import wav
from tests.docs.conftest import Server
from tests.docs.pages import Block, blocks, in_backticks, read, table
from tests.docs.test_commands import differences

PAGE = "api/uploads.md"
HEADER = re.compile(r"^([A-Za-z-]+): (.*?)\r?$", re.MULTILINE)
VARYING = {"Upload-Expires"}


def steps() -> list[tuple[str, Block]]:
    """Return each command with the block that shows its answer."""
    found = blocks(read(PAGE))
    return [(block.text, answer) for block, answer in itertools.pairwise(found) if block.language == "bash"]


def run(command: str, server: Server, folder: Path) -> str:
    done = subprocess.run(
        ["/bin/sh", "-c", 'curl() { command curl -fsS "$@"; }\n' + command],
        env={
            "PATH": os.environ["PATH"],
            "api": f"{server.url}/api/v1",
            "auth": f"Authorization: Bearer {server.token}",
        },
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl to run it")
def test_the_example_does_what_the_page_shows(serve: Callable[..., Server], tmp_path: Path) -> None:
    (tmp_path / "meeting.flac").write_bytes(wav())
    server = serve()
    assert len(steps()) == 4
    for command, answer in steps():
        output = run(command, server, tmp_path)
        if answer.language == "json":
            assert list(differences(json.loads(answer.text), json.loads(output))) == []
            continue
        shown, real = dict(HEADER.findall(answer.text)), dict(HEADER.findall(output))
        assert output.splitlines()[0].split()[1] == answer.text.splitlines()[0].split()[1]
        assert set(shown) <= set(real)
        assert {name: shown[name] for name in shown.keys() - VARYING} == {
            name: real[name] for name in shown.keys() - VARYING
        }


def test_the_page_names_the_states_and_algorithms() -> None:
    assert set(table(read(PAGE), "state").codes()) == {state.value for state in UploadState}
    assert set(tus.ALGORITHMS) <= {code for line in read(PAGE).splitlines() for code in in_backticks(line)}
    for extension in tus.EXTENSIONS.split(","):
        assert extension in read(PAGE)
