"""The command line in this process, a stub server, and a real server."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from speakr.cli import main
from speakr.client import Speakr
from tests.client.stub import Stub
from tests.intake.server import ALICE, ROOT, IntakeServer

SAMPLE = ROOT / "speakr" / "sample" / "sense_and_sensibility.flac"

Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def logged_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home folder of its own: no test may use the login of the user who runs it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name in ("SPEAKR_URL", "SPEAKR_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def run() -> Run:
    """Run a command; an unexpected exception fails the test."""

    def invoke(*arguments: object, typed: str = "", exit_code: int = 0) -> Result:
        made = CliRunner().invoke(main, [str(each) for each in arguments], input=typed)
        if made.exception is not None and not isinstance(made.exception, SystemExit):
            raise made.exception
        assert made.exit_code == exit_code, (made.stdout, made.stderr)
        if exit_code == 1:
            assert made.stderr.count("Error: ") == 1, made.stderr
        return made

    return invoke


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub() as server:
        yield server


@pytest.fixture
def pauses() -> list[float]:
    """Collect the pauses that the client requests, without waiting."""
    return []


@pytest.fixture
def speakr(stub: Stub, pauses: list[float]) -> Iterator[Speakr]:
    """A client of the stub."""
    with Speakr(stub.url, "a-token", sleep=pauses.append) as client:
        yield client


@pytest.fixture
def logged_in(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> Stub:
    """The stub as the server that commands call, without waiting."""
    monkeypatch.setenv("SPEAKR_URL", stub.url)
    monkeypatch.setenv("SPEAKR_TOKEN", "a-token")
    monkeypatch.setattr("speakr.client.api.Speakr.__init__.__kwdefaults__", _without_waiting())
    return stub


def _without_waiting() -> dict[str, object]:
    defaults = dict(Speakr.__init__.__kwdefaults__ or {})
    return {**defaults, "sleep": lambda _: None}


@pytest.fixture(scope="session")
def real_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IntakeServer]:
    """Gunicorn, a worker with the real recogniser, SQLite."""
    with IntakeServer(
        tmp_path_factory.mktemp("server"), WEBHOOK_INTRANET_HOST_ALLOWLIST="127.0.0.1/32"
    ) as made:
        made.start_worker()
        yield made


@pytest.fixture
def at_real_server(real_server: IntakeServer, monkeypatch: pytest.MonkeyPatch) -> IntakeServer:
    """The real server, as the one that commands ask."""
    monkeypatch.setenv("SPEAKR_URL", f"http://127.0.0.1:{real_server.port}")
    monkeypatch.setenv("SPEAKR_TOKEN", ALICE)
    return real_server


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "speakr", *map(str, arguments)]
