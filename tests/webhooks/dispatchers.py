"""Dispatchers to test: one in a thread, and ones in processes of their own that may be killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from flask import Flask

from speakr.settings import Settings
from speakr.webhooks.dispatcher import serve


def until(condition: Callable[[], object], *, timeout: float = 30.0) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.01)


class ThreadedDispatcher:
    """A dispatcher in a thread of this process."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="dispatcher")
        self.failure: BaseException | None = None

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._ready.set()
        try:
            await serve(self._app, self._stop)
        except BaseException as error:
            self.failure = error
            raise

    def start(self) -> None:
        self._thread.start()
        self._ready.wait()

    def ask_to_stop(self) -> None:
        if self._loop is not None and self._stop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)

    def stop(self) -> None:
        self.ask_to_stop()
        self._thread.join(20)
        assert not self._thread.is_alive()
        assert self.failure is None


_PROCESS = "from speakr.app import create_app; from speakr.webhooks.dispatcher import run; run(create_app())"


class DispatcherProcess:
    """A dispatcher in a separate process, configured like this one's app."""

    def __init__(self, settings: Settings, log: Path, **more: str) -> None:
        self._log = log
        self._environment = {
            "PATH": os.environ["PATH"],
            "SPEAKR_SECRET_KEY": settings.secret_key,
            "SPEAKR_DATA": str(settings.data_dir),
            "DATABASE_URL": settings.database_url,
            "REDIS_URL": settings.redis_url,
            "WEBHOOK_INTRANET_HOST_ALLOWLIST": settings.webhook_allowed_hosts,
            "WEBHOOK_DELIVERY_TIMEOUT_SECONDS": str(settings.webhook_timeout_seconds),
            "WEBHOOK_MAX_ATTEMPTS": str(settings.webhook_max_attempts),
            **more,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it has found out whether it is the one."""
        seen = self.said()
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _PROCESS], env=self._environment, stdout=log, stderr=log
            )
        until(lambda: "dispatcher_" in self.said()[len(seen) :], timeout=30)

    def said(self) -> str:
        """Return all it has logged."""
        return self._log.read_text() if self._log.exists() else ""

    def has_said(self, word: str) -> bool:
        return word in self.said()

    def kill(self) -> None:
        """Kill it as a power cut would."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """Send SIGTERM; return its exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)
