"""The generated client, and a server of real sockets around the app of each test."""

from __future__ import annotations

import fcntl
import importlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from flask import Flask
from werkzeug.serving import make_server

from speakr.api.openapi import document
from tests.conftest import Person

PACKAGE = "speakr_generated"


@pytest.fixture(scope="session")
def generated_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that all processes of a test run share."""
    own = tmp_path_factory.getbasetemp()
    return (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "generated"


@pytest.fixture
def generated(app: Flask, generated_in: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Import a module of the generated package, which one process of a test run makes."""
    generated_in.mkdir(exist_ok=True)
    with (generated_in / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _generate(app, generated_in)
    monkeypatch.syspath_prepend(generated_in)
    return lambda name: importlib.import_module(f"{PACKAGE}.{name}")


def _generate(app: Flask, generated_in: Path) -> None:
    if not (generated_in / "said").exists():
        description, config = generated_in / "openapi.json", generated_in / "config.yaml"
        description.write_text(json.dumps(document(app)))
        config.write_text("post_hooks: []\n")
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "openapi_python_client",
                "generate",
                "--path",
                str(description),
                "--config",
                str(config),
                "--meta",
                "none",
                "--output-path",
                str(generated_in / PACKAGE),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        (generated_in / "said").write_text(done.stdout)


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    """Serve the app on a free port."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/api/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def client(generated: Callable[[str], ModuleType], address: str, alice: Person) -> Iterator[Any]:
    """The generated client with alice's token; statuses that the description does not name raise."""
    made = generated("client").AuthenticatedClient(
        base_url=address, token=alice.token, raise_on_unexpected_status=True
    )
    with made:
        yield made
