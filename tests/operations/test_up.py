"""The whole server under its supervisor, with real processes and real kills."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.operations.conftest import Stack, speakr, wait_for

pytestmark = pytest.mark.stack

TOKEN = "a-token-for-tests-that-is-long-enough-to-be-taken"
PASSWORD = "a password for tests"
KINDS = ("redis-server", "gunicorn", "speakr work", "speakr dispatch-webhooks")


def test_every_killed_child_restarts_and_ctrl_c_leaves_no_process(start: Callable[..., Stack]) -> None:
    stack = start("--no-sample", "--workers", "1", SPEAKR_BOOTSTRAP_TOKEN=TOKEN)
    stack.wait_until_ready()
    for kind in KINDS:
        (victim,) = stack.find(kind, parent=stack.process.pid)
        os.kill(victim, signal.SIGKILL)
        wait_for(
            lambda kind=kind, victim=victim: set(stack.find(kind, parent=stack.process.pid)) - {victim},
            f"another {kind}",
        )
        stack.wait_until_ready()
    # gunicorn looks after its own worker
    (master,) = stack.find("gunicorn", parent=stack.process.pid)
    (web_worker,) = stack.find("gunicorn", parent=master)
    os.kill(web_worker, signal.SIGKILL)
    wait_for(lambda: set(stack.find("gunicorn", parent=master)) - {web_worker}, "another web worker")
    stack.wait_until_ready()
    assert stack.get("/api/v1/users/me", TOKEN)[1]["username"] == "admin"
    for name in ("redis", "web", "worker-1", "dispatcher"):
        assert f"{name} has ended (killed by SIGKILL)" in stack.screen

    began = time.monotonic()
    assert stack.stop(signal.SIGINT) == 0
    assert time.monotonic() - began < 15
    assert stack.processes() == {}


def test_a_second_start_reuses_everything_and_a_killed_supervisor_takes_all_with_it(
    start: Callable[..., Stack],
) -> None:
    first = start("--no-sample", "--workers", "1")
    first.wait_until_ready()
    (token,) = re.findall(r"API token  (\S+)", first.screen)
    (password,) = re.findall(r"password   (\S+)", first.screen)
    assert first.get("/api/v1/users/me", token)[1]["is_admin"] is True
    refused = speakr("up", "--data", str(first.data), "--no-sample")
    assert refused.returncode == 2
    assert f"Another server is running on the data folder {first.data}" in refused.stderr
    assert first.stop(signal.SIGTERM) == 0
    assert first.processes() == {}
    key = (first.data / "secret_key").read_text()

    second = start("--workers", "1")
    _wait_for_a_horse(second)
    assert second.get("/api/v1/users/me", token)[0] == 200
    assert (first.data / "secret_key").read_text() == key
    for secret in (token, password, "First start"):
        assert secret not in second.screen
    assert len(second.processes()) >= 6
    os.kill(second.process.pid, signal.SIGKILL)
    second.process.wait()
    second.wait_until_gone()


def _wait_for_a_horse(stack: Stack) -> None:
    """Wait until a worker has forked: the sample is being transcribed."""
    (worker,) = wait_for(lambda: stack.find("speakr work", parent=stack.process.pid), "a worker")
    wait_for(lambda: stack.find("speakr work", parent=worker), "a horse")


def test_the_sample_goes_through_the_whole_pipeline(start: Callable[..., Stack], tmp_path: Path) -> None:
    # A folder with a blank, and too deep for the path of a Unix socket.
    data = tmp_path / "my data" / ("deep" * 30)
    stack = start("--verbose", data=data, SPEAKR_BOOTSTRAP_TOKEN=TOKEN, SPEAKR_ADMIN_PASSWORD=PASSWORD)
    stack.wait_for_text("(Serving at)")
    shown = stack.screen
    assert "rather cold-hearted, and rather selfish" in shown
    assert "Extractive summary" in shown
    assert "received recording.summary.completed for recording 1, signature verified" in shown
    assert TOKEN not in shown
    assert PASSWORD not in shown
    stack.wait_for_text(r"(?m)^worker-\d +.*(job_done)")  # verbose shows the logs, a moment later
    assert stack.get("/api/v1/recordings/1/status", TOKEN)[1]["status"] == "COMPLETED"
    assert stack.get("/api/v1/webhooks", TOKEN)[1]["webhooks"] == []
    (socket_folder,) = {Path(url).parent for url in re.findall(r"unixsocket:(\S+)", str(stack.processes()))}
    assert socket_folder.name.startswith("speakr-")
    assert stack.stop() == 0
    assert stack.processes() == {}
    assert not socket_folder.exists()


def test_a_broken_redis_file_stops_no_process_and_ctrl_c_stops_jobs(
    start: Callable[..., Stack], tmp_path: Path
) -> None:
    folder = tmp_path / "data" / "redis"
    folder.mkdir(parents=True)
    for name in ("appendonly.aof", "appendonlydir"):
        (folder / name).write_text("this is not Redis's\n" * 10)
    stack = start("--workers", "1")
    _wait_for_a_horse(stack)
    assert list((tmp_path / "data").glob("redis.broken-*"))

    # In the middle of the sample run: the horse goes, and the temporary webhook too.
    assert stack.stop() == 0
    assert stack.processes() == {}
    with contextlib.closing(sqlite3.connect(tmp_path / "data" / "speakr.db")) as database:
        assert database.execute("SELECT count(*) FROM recordings").fetchone() == (1,)
        assert database.execute("SELECT count(*) FROM webhooks").fetchone() == (0,)


# -- what cannot be started says so in a sentence


def test_a_given_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        refused = speakr("up", "--data", str(tmp_path), "--port", str(port))
    assert refused.returncode == 2
    assert refused.stderr.strip() == (
        f"Error: Port {port} on 127.0.0.1 is taken; choose another one with --port (make run PORT=...)."
    )


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"SPEAKR_WORKERS": "many"}, "SPEAKR_WORKERS must be a number, not 'many'"),
        ({"SPEAKR_SECRET_KEY": "short"}, "SPEAKR_SECRET_KEY is missing or shorter than 32 characters"),
        ({"SPEAKR_BOOTSTRAP_TOKEN": "short"}, "SPEAKR_BOOTSTRAP_TOKEN needs at least 32 characters"),
        ({"SPEAKR_ADMIN_PASSWORD": "short"}, "SPEAKR_ADMIN_PASSWORD will not do"),
        ({"REDIS_URL": "redis://127.0.0.1:1/0"}, "Redis does not answer"),
        (
            {"DATABASE_URL": "postgresql+psycopg://speakr:hunter2@127.0.0.1:1/speakr"},
            "The database does not answer",
        ),
        ({"DATABASE_URL": "nonsense"}, "DATABASE_URL is not a database address"),
    ],
)
def test_a_start_that_cannot_succeed(settings: dict[str, str], sentence: str, tmp_path: Path) -> None:
    refused = speakr("up", "--data", str(tmp_path), "--port", "0", "--no-sample", **settings)
    assert refused.returncode == 2
    (line,) = refused.stderr.strip().splitlines()
    assert line.startswith(f"Error: {sentence}")
    assert "hunter2" not in refused.stderr + refused.stdout


def test_a_data_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    refused = speakr("up", "--data", str(tmp_path / "data" / "below"))
    assert refused.returncode == 2
    assert "cannot be used: not a directory" in refused.stderr
