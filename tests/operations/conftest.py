"""A whole server started by `speakr up`, watched from outside."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.loop_blocks import assert_loop_was_free

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_SECONDS = 120.0

_SETTING = re.compile(
    r"^(SPEAKR_|DATABASE_URL|REDIS_URL|TRANSCRIPTION_|TEXT_MODEL_|WEBHOOK_|PROMETHEUS_|VIDEO_RETENTION|USERS_CAN)"
)


@pytest.fixture(autouse=True)
def _umask_stays() -> Iterator[None]:
    """Commands set the umask of their process, which here is that of all later tests."""
    before = os.umask(0)
    os.umask(before)
    yield
    os.umask(before)


def clean_environment(**settings: str) -> dict[str, str]:
    """Return this process's environment without Speakr's settings, but with the given ones."""
    inherited = {name: value for name, value in os.environ.items() if not _SETTING.match(name)}
    return {**inherited, "PYTHONPATH": str(ROOT), **settings}


def wait_for(is_true: Callable[[], Any], what: str, seconds: float = TIMEOUT_SECONDS) -> Any:
    deadline = time.monotonic() + seconds
    while True:
        found = is_true()
        if found:
            return found
        assert time.monotonic() < deadline, f"not in {seconds} s: {what}"
        time.sleep(0.05)


def speakr(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "speakr", *arguments],
        env=clean_environment(**settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class Stack:
    """One `speakr up` and everything it started, recognised by a mark in the environment."""

    def __init__(
        self, screens: Path, data: Path, *arguments: str, program: Path | None = None, **settings: str
    ) -> None:
        """Start it; `program` is an installed `speakr`, to run with hardly any environment and outside the checkout."""
        self.mark = uuid.uuid4().hex
        self.data = data
        command = [str(program)] if program else [sys.executable, "-m", "speakr"]
        self._arguments = [*command, "up", "--data", str(data), "--port", "0", *arguments]
        settings = {
            "SPEAKR_TEST_MARK": self.mark,
            "SPEAKR_RATE_LIMITS": "no",
            "SPEAKR_WEB_PROCESSES": "1",
            **settings,
        }
        self._environment = (
            {"PATH": os.defpath, "HOME": str(screens), **settings}
            if program
            else clean_environment(**settings)
        )
        self._screen = screens / f"screen-{self.mark}"
        with self._screen.open("wb") as screen:
            self.process = subprocess.Popen(
                self._arguments,
                env=self._environment,
                cwd=screens if program else None,
                stdin=subprocess.DEVNULL,
                stdout=screen,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    # -- what it shows and says

    @property
    def screen(self) -> str:
        return self._screen.read_text()

    @property
    def port(self) -> int:
        """The port it chose, once it has said so."""
        return int(self.wait_for_text(r"address    http://127\.0\.0\.1:(\d+)\n"))

    def wait_for_text(self, pattern: str) -> str:
        """Wait until the screen shows something; return the pattern's first group."""

        def look() -> re.Match[str] | None:
            found = re.search(pattern, self.screen)
            assert found or self.process.poll() is None, f"it has ended: {self.screen}"
            return found

        try:
            return wait_for(look, pattern)[1]
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.screen}") from None

    def get(self, path: str, token: str = "") -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=90)
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def is_ready(self) -> bool:
        try:
            return self.get("/readyz")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def wait_until_ready(self) -> None:
        def ready_or_gone() -> bool:
            assert self.process.poll() is None, self.screen
            return self.is_ready()

        wait_for(ready_or_gone, f"ready; the screen shows {self.screen!r}")

    # -- its processes

    def processes(self) -> dict[int, str]:
        """Command lines by process id, the supervisor's among them; the dead are not counted.

        Redis writes over its environment, but it stays in its folder.
        """
        found = {}
        wanted = f"SPEAKR_TEST_MARK={self.mark}".encode()
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                is_ours = wanted in (folder / "environ").read_bytes().split(b"\0")
                is_ours |= (folder / "cwd").readlink().is_relative_to(self.data)
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if command and is_ours:
                found[int(folder.name)] = command
        return found

    def find(self, word: str, *, parent: int | None = None) -> list[int]:
        return sorted(
            pid
            for pid, command in self.processes().items()
            if word in command and (parent is None or _parent(pid) == parent)
        )

    def wait_until_gone(self, seconds: float = 30.0) -> None:
        wait_for(lambda: not self.processes(), f"all gone: {self.processes()}", seconds)

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        os.killpg(self.process.pid, number)  # what a terminal does on Ctrl-C
        return self.process.wait(timeout=60)

    def clear_away(self) -> None:
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)
        self.process.wait(timeout=10)
        assert_loop_was_free(self._screen)


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Stack]]:
    """Start servers; whatever is left of them at the end is killed."""
    started: list[Stack] = []

    def begin(
        *arguments: str, data: Path | None = None, program: Path | None = None, **settings: str
    ) -> Stack:
        stack = Stack(tmp_path, data or tmp_path / "data", *arguments, program=program, **settings)
        started.append(stack)
        return stack

    yield begin
    for stack in started:
        stack.clear_away()
