"""The web process under config/gunicorn.conf.py, with a tiny app in place of Speakr."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.operations.conftest import ROOT, clean_environment, wait_for
from tests.operations.tiny_app import MOST

pytestmark = pytest.mark.stack

SECRET = "a secret key for tests, long enough to pass"
CONFIGURATION = ROOT / "config" / "gunicorn.conf.py"
APP = "tests.operations.tiny_app:app"
GET = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def gunicorn(
    pass_fds: Sequence[int] = (), arguments: Sequence[str] = (), **settings: str
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "-c", str(CONFIGURATION), *arguments, APP],
        env=clean_environment(**settings),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        pass_fds=pass_fds,
    )


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., int]]:
    """Serve the tiny app; returns the port."""
    started: list[subprocess.Popen[str]] = []

    def begin(*arguments: str, **settings: str) -> int:
        with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
            bind = f"fd://{listener.fileno()}"
            data = {"SPEAKR_SECRET_KEY": SECRET, "SPEAKR_DATA": str(tmp_path), "SPEAKR_BIND": bind}
            started.append(gunicorn([listener.fileno()], arguments, **data, **settings))
            port: int = listener.getsockname()[1]
        assert _answers(port)
        return port

    yield begin
    for process in started:
        process.terminate()
        _, printed = process.communicate(timeout=10)
        assert "Traceback" not in printed
        assert len(printed) < 2_000


def _answers(port: int) -> bool:
    try:
        return exchange(port, GET).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def exchange(port: int, request: bytes, source: str = "127.0.0.1") -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(source, 0)) as connection:
        connection.sendall(request)
        answer = b""
        try:
            while chunk := connection.recv(65536):
                answer += chunk
        except ConnectionResetError:
            pass  # it closed the connection before reading the whole request
        return answer


def test_a_missing_secret_is_one_sentence() -> None:
    process = gunicorn()
    _, printed = process.communicate(timeout=60)
    assert process.returncode == 2
    assert printed.startswith("Error: SPEAKR_SECRET_KEY is not set.")
    assert len(printed.strip().splitlines()) == 1


def test_hostile_request_heads_are_refused_and_the_next_one_is_served(serve: Callable[..., int]) -> None:
    port = serve()
    huge = b"GET / HTTP/1.1\r\nHost: x\r\nX-Huge: " + b"a" * 65_536 + b"\r\n\r\n"
    long_line = b"GET /" + b"a" * 65_536 + b" HTTP/1.1\r\nHost: x\r\n\r\n"
    many = b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: 1\r\n" % n for n in range(1000)) + b"\r\n"
    garbage = b"\x00\xff\x16\x03\x01 nonsense\r\n\r\n"
    two_lengths = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 9\r\n\r\nabcd"
    for request in (huge, long_line, many, garbage, two_lengths):
        answer = exchange(port, request)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 4"), answer[:200]
        assert _answers(port)


def test_slow_clients_delay_no_other(serve: Callable[..., int]) -> None:
    port = serve()
    slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(64)]
    try:
        for number, connection in enumerate(slow):
            connection.sendall(
                b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
                if number % 2
                else b"GET / HT"
            )
        began = time.monotonic()
        assert all(_answers(port) for _ in range(20))
        assert time.monotonic() - began < 20
    finally:
        for connection in slow:
            connection.close()


def test_a_full_process_serves_health_checks_and_other_addresses(serve: Callable[..., int]) -> None:
    port = serve("--worker-class", "tests.operations.small_worker.Worker")
    with contextlib.ExitStack() as stack:
        for _ in range(MOST):
            busy = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            busy.sendall(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_for(lambda: exchange(port, GET)[9:12] == b"503", "no room")
        began = time.monotonic()
        check = exchange(port, GET.replace(b"/", b"/healthz", 1))
        assert check.startswith(b"HTTP/1.1 200")
        assert exchange(port, GET, "127.0.0.2").startswith(b"HTTP/1.1 200")
        assert time.monotonic() - began < 5


def test_slow_readers_do_not_fill_the_log(serve: Callable[..., int]) -> None:
    port = serve("--worker-class", "tests.operations.small_worker.Worker")
    with contextlib.ExitStack() as stack:
        readers = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10)) for _ in range(3)
        ]
        for reader in readers:
            reader.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(2)  # they read nothing for longer than they may
        received = [
            sum(len(block) for block in iter(lambda each=each: each.recv(1 << 20), b"")) for each in readers
        ]
    assert max(received) < 64 << 20


def test_several_processes_share_their_counters_and_start_afresh(
    serve: Callable[..., int], tmp_path: Path
) -> None:
    folder = tmp_path / "metrics"
    folder.mkdir()
    (folder / "counter_1.db").write_bytes(b"of an earlier run")
    (folder / "somebody's notes").write_text("kept")
    port = serve(SPEAKR_WEB_PROCESSES="2")
    assert not (folder / "counter_1.db").exists()
    assert (folder / "somebody's notes").read_text() == "kept"
    answer = exchange(port, b"GET /environment HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert f"\r\n{folder}\r\n".encode() in answer


def test_forwarded_headers_are_not_for_gunicorn_to_believe(serve: Callable[..., int]) -> None:
    port = serve()
    answer = exchange(
        port, b"GET /scheme HTTP/1.1\r\nHost: x\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n\r\n"
    )
    assert b"\r\nhttp\r\n" in answer


def test_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "s"
    process = gunicorn(SPEAKR_SECRET_KEY=SECRET, SPEAKR_DATA=str(tmp_path), SPEAKR_BIND=f"unix:{path}")
    try:
        wait_for(path.exists, "the socket")
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(path))
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.0 200")
    finally:
        process.terminate()
        process.communicate(timeout=10)


def test_waiting_for_postgresql_delays_no_other(postgres_url: str) -> None:
    """Patched as gunicorn's gevent worker patches it, psycopg waits cooperatively."""
    program = (
        "from gevent import monkey; monkey.patch_all()\n"
        "import sys, time, gevent, sqlalchemy\n"
        "engine = sqlalchemy.create_engine(sys.argv[1])\n"
        "def sleep():\n"
        "    with engine.connect() as connection:\n"
        "        connection.exec_driver_sql('SELECT pg_sleep(0.5)')\n"
        "sleep()\n"
        "began = time.monotonic()\n"
        "gevent.joinall([gevent.spawn(sleep) for _ in range(5)], raise_error=True)\n"
        "print(time.monotonic() - began)\n"
    )
    printed = subprocess.run(
        [sys.executable, "-c", program, postgres_url], capture_output=True, text=True, check=True
    ).stdout
    assert float(printed) < 1.5
