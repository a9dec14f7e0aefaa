"""Start a server on one database, fill it, and run schemathesis on it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.stack import Server
from speakr.settings import Settings
from tests.fuzz.library import Library, fill
from tests.servers import postgres_server

HERE = Path(__file__).resolve().parent
DATABASES = ("sqlite", "postgresql")

SETTINGS = {
    "ENABLE_FOLDERS": "yes",
    "SPEAKR_CLIP_START_SECONDS": "1",  # no worker runs: what waits for one is answered with 503 soon
    "SPEAKR_MIN_FREE_DISK_MB": "1",
    "WEBHOOK_INTRANET_HOST_ALLOWLIST": "127.0.0.1/32",  # and no dispatcher runs: nothing is sent anywhere
    "WEBHOOK_MAX_PER_USER": "10000",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run."""

    database: str
    exit_code: int
    seconds: float


@contextlib.contextmanager
def served(database: str) -> Iterator[tuple[Server, Library]]:
    """Yield a server with data on the named database."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="spk-f-")))
        url = stack.enter_context(postgres_server()) if database == "postgresql" else ""
        server = stack.enter_context(Server(folder, url, **SETTINGS))
        yield server, fill(Settings.from_env(server.environment))


def fuzz(database: str, examples: int, *arguments: str) -> Outcome:
    """Run schemathesis over all operations; further arguments are its own."""
    with served(database) as (server, library):
        command = [
            sys.executable,
            "-m",
            "schemathesis.cli",
            "--config-file",
            str(HERE / "schemathesis.toml"),
            "run",
            f"http://127.0.0.1:{server.port}/api/v1/openapi.json",
            "--checks",
            "all",
            "--max-examples",
            str(examples),
            *arguments,
        ]
        known = {"ids": library.ids, "own_user_id": library.own_user_id, "own_token_id": library.own_token_id}
        environment = {
            **os.environ,
            "SPEAKR_FUZZ_LIBRARY": json.dumps(known),
            "SPEAKR_FUZZ_TOKEN": library.token,
            "PYTHONPATH": str(HERE.parent.parent),
        }
        began = time.monotonic()
        done = subprocess.run(command, env=environment, cwd=server.folder, check=False)
        return Outcome(database, done.returncode, time.monotonic() - began)
