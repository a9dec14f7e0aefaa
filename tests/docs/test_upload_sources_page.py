"""The examples of docs/api/upload-sources.md, run as they stand, and its tables."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from speakr.api.schemas.upload_sources import MAX_LIFETIME_SECONDS
from speakr.services.recordings.fetches import ALLOWED_HEADERS
from speakr.services.recordings.signed_uploads import MAX_LIFETIME
from tests.conftest import wav
from tests.docs.conftest import Server
from tests.docs.pages import blocks, in_backticks, read, table
from tests.docs.test_commands import differences

PAGE = "api/upload-sources.md"


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl to run it")
def test_the_examples_do_what_the_page_shows(serve: Callable[..., Server], tmp_path: Path) -> None:
    (tmp_path / "meeting.flac").write_bytes(wav())
    server = serve()
    found = blocks(read(PAGE))
    answers: list[dict[str, object]] = []
    url = ""
    for block, following in zip(found, [*found[1:], None], strict=True):
        if block.language != "bash":
            continue
        answers.append(json.loads(run(block.text, server, tmp_path, url)))
        url = str(answers[-1].get("url", url))
        if following is not None and following.language == "json":
            assert list(differences(json.loads(following.text), answers[-1])) == []
    assert [answer.get("state") for answer in answers[:2]] == ["queued", "queued"]
    assert url.startswith(server.url)
    assert answers[-1]["title"] == "Stand-up"


def run(command: str, server: Server, folder: Path, url: str) -> str:
    done = subprocess.run(
        ["/bin/sh", "-c", 'curl() { command curl -fsS "$@"; }\n' + command],
        env={
            "PATH": os.environ["PATH"],
            "api": f"{server.url}/api/v1",
            "auth": f"Authorization: Bearer {server.token}",
            "json": "Content-Type: application/json",
            "url": url,
        },
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


def test_the_page_names_the_headers_and_the_codes() -> None:
    page = read(PAGE)
    assert set(ALLOWED_HEADERS) <= {code for line in page.splitlines() for code in in_backticks(line)}
    known = set(table(read("api"), "error_code").codes()) | set(table(read("api"), "code").codes())
    assert set(table(page, "code of a fetch").codes()) <= known
    assert MAX_LIFETIME.total_seconds() == MAX_LIFETIME_SECONDS
