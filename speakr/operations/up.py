"""`speakr up`: a whole server from one command, on one machine."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from speakr import __version__, installation
from speakr.operations import environment as env
from speakr.operations import web_processes
from speakr.operations.children import Child
from speakr.operations.data_folder import DataFolder
from speakr.operations.errors import OperatorError
from speakr.operations.listening import ListeningSocket, listen
from speakr.operations.logs import Follower
from speakr.operations.redis_server import EmbeddedRedis
from speakr.operations.sample import SAMPLE
from speakr.operations.supervisor import StopRequested, Supervisor
from speakr.settings import Settings

_REDIS_STARTS_WITHIN_SECONDS = 30.0

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpOptions:
    """Options of the command line; None leaves the choice to the settings."""

    host: str = "127.0.0.1"
    port: int | None = None
    data: Path | None = None
    workers: int | None = None
    wants_sample: bool = True
    is_verbose: bool = False


def up(options: UpOptions, tell: Tell) -> None:
    """Start all processes and serve until a signal asks to stop.

    Raises:
        OperatorError, SettingsError: it cannot be started; nothing is left running.

    """
    given = env.inherited()
    folder = DataFolder.prepare(options.data or Path(given.get("SPEAKR_DATA", "").strip() or "data"))
    with ExitStack() as stack:
        stack.callback(os.close, folder.acquire_lock())
        listener = listen(options.host, options.port)
        stack.callback(listener.socket.close)
        redis = None
        if not given.get("REDIS_URL", "").strip():
            redis = EmbeddedRedis.in_folder(folder.path)
            stack.callback(redis.leave_nothing_in_tmp)
        settings, environment = _settle(options, given, folder, listener, redis)
        _Start(_Processes(folder, listener, redis, settings, environment), options, tell).run()


def _settle(
    options: UpOptions,
    given: Mapping[str, str],
    folder: DataFolder,
    listener: ListeningSocket,
    redis: EmbeddedRedis | None,
) -> tuple[Settings, dict[str, str]]:
    """Complete the environment and read it as the children will."""
    environment = env.opened_to_loopback(env.with_import_path(given), is_loopback=listener.is_loopback)
    environment["SPEAKR_DATA"] = str(folder.path)
    environment["SPEAKR_BIND"] = f"fd://{listener.socket.fileno()}"
    if not given.get("SPEAKR_SECRET_KEY", "").strip():
        environment["SPEAKR_SECRET_KEY"] = folder.secret_key()
    if redis is not None:
        environment["REDIS_URL"] = redis.url
    if options.workers is not None:
        environment["SPEAKR_WORKERS"] = str(options.workers)
    settings = Settings.from_env(environment)
    if settings.worker_count < 1:
        raise OperatorError("At least one worker is needed, or no recording would ever be transcribed.")
    return settings, environment


@dataclass(frozen=True, slots=True)
class _Processes:
    """All decisions before the first process starts."""

    folder: DataFolder
    listener: ListeningSocket
    redis: EmbeddedRedis | None
    settings: Settings
    environment: Mapping[str, str]

    def python(
        self, name: str, *arguments: str, task: bool = False, descriptors: tuple[int, ...] = ()
    ) -> Child:
        """Plan a Python process."""
        known = self.environment if task else env.without_first_start(self.environment)
        return Child(
            name,
            [sys.executable, *arguments],
            known,
            log=self.folder.logs / f"{name}.log",
            descriptors=descriptors,
            is_task=task,
        )

    def redis_child(self, redis: EmbeddedRedis) -> Child:
        return Child(
            "redis",
            redis.command,
            self.environment,
            log=self.folder.logs / "redis.log",
            on_repeated_failure=redis.set_data_aside,
        )

    def web(self) -> Child:
        configuration = str(installation.files() / "config" / "gunicorn.conf.py")
        # Not `wsgi:app`: gunicorn looks in the current folder first, and a wsgi.py there may be another program's.
        arguments = ("-m", "gunicorn", "-c", configuration, "speakr.app:create_app()")
        web = self.python("web", *arguments, descriptors=(self.listener.socket.fileno(),))
        web.environment = env.for_web(web.environment)
        return web

    def workers(self) -> list[Child]:
        numbers = range(1, self.settings.worker_count + 1)
        return [self.python(f"worker-{number}", "-m", "speakr", "work") for number in numbers]

    def dispatcher(self) -> Child:
        return self.python("dispatcher", "-m", "speakr", "dispatch-webhooks")


class _Start:
    """One run, from the first process to the last."""

    def __init__(self, processes: _Processes, options: UpOptions, tell: Tell) -> None:
        self._processes = processes
        self._options = options
        self._tell = tell
        self._supervisor = Supervisor(tell, Follower(tell) if options.is_verbose else None)
        self._redis: list[Child] = []
        self._servers: list[Child] = []
        self._tasks: list[Child] = []

    def run(self) -> None:
        """Start in order, serve, and leave nothing behind."""
        try:
            self._tell_where()
            if self._processes.redis is not None:
                self._start_redis(self._processes.redis)
            prepared = self._prepare()
            self._servers = [self._processes.web(), *self._processes.workers(), self._processes.dispatcher()]
            for server in self._servers:
                self._supervisor.keep(server)
            self._tell_secrets(prepared)
            self._welcome(prepared)
            self._supervisor.run()
        except StopRequested as request:
            self._tell(f"\nStopping ({request}).")
        finally:
            # The sample run cleans up over HTTP, and the servers may still write to Redis.
            self._supervisor.stop([self._tasks, self._servers, self._redis])

    def _start_redis(self, redis: EmbeddedRedis) -> None:
        child = self._processes.redis_child(redis)
        self._redis = [child]
        self._supervisor.keep(child)
        if not self._supervisor.run_until(redis.answers, seconds=_REDIS_STARTS_WITHIN_SECONDS):
            raise OperatorError(f"The embedded Redis does not start; its log is {child.log}.")

    def _prepare(self) -> dict[str, Any]:
        """Run a short-lived process that migrates and makes the first user; return its answer (`preparation.Prepared`)."""
        sample_option = "--sample" if self._options.wants_sample else "--no-sample"
        task = self._processes.python("prepare", "-m", "speakr", "prepare", sample_option, task=True)
        with tempfile.TemporaryFile() as answer:
            self._supervisor.start_task(task, answer=answer.fileno())
            self._tasks = [task]
            self._supervisor.run_until(lambda: task.pid is None)
            answer.seek(0)
            text = answer.read()
        prepared: dict[str, Any] = json.loads(text) if text else {}
        if "error" in prepared:
            raise OperatorError(prepared["error"])
        if task.exit_code != 0:
            raise OperatorError(f"The database could not be prepared; the reason is in {task.log}.")
        return prepared

    def _welcome(self, prepared: Mapping[str, Any]) -> None:
        """Start another short-lived process that waits until the server is ready and makes the sample run."""
        task = Child(
            "welcome",
            [sys.executable, "-m", "speakr.operations.welcome"],
            env.without_first_start(self._processes.environment),
            is_task=True,
        )
        self._tasks = [task]
        message = {
            "url": self._processes.listener.url,
            "token": prepared["sample_token"],
            "token_id": prepared["sample_token_id"],
            "logs": str(self._processes.folder.logs),
            "engine": prepared["engine"],
        }
        self._supervisor.start_task(task, message=json.dumps(message).encode())

    # -- output for the operator

    def _tell_where(self) -> None:
        processes = self._processes
        if processes.listener.is_second_choice:
            self._tell(f"The default port is taken; using {processes.listener.port} instead.")
        kept_in = urlsplit(processes.settings.database_url).scheme.partition("+")[0] or "SQLite"
        web_count = web_processes.count(processes.settings.web_process_count)
        web = "web" if web_count == 1 else f"{web_count} web processes"
        binary = processes.redis.binary if processes.redis is not None else "as set in REDIS_URL"
        self._tell(
            f"Speakr {__version__}\n"
            f"  address    {processes.listener.url}\n"
            f"  data       {processes.folder.path} (logs in {processes.folder.logs.name}/)\n"
            f"  database   {kept_in}\n"
            f"  Redis      {binary}\n"
            f"  processes  {web}, {processes.settings.worker_count} workers, webhook dispatcher"
        )

    def _tell_secrets(self, prepared: Mapping[str, Any]) -> None:
        if not prepared["is_first_start"]:
            return
        password = prepared["new_password"] or "(as set in SPEAKR_ADMIN_PASSWORD)"
        token = prepared["new_token"] or "(as set in SPEAKR_BOOTSTRAP_TOKEN)"
        in_curl = prepared["new_token"] or "$SPEAKR_BOOTSTRAP_TOKEN"
        self._tell(
            "First start. These are shown this once; keep them:\n"
            "  user       admin\n"
            f"  password   {password}\n"
            f"  API token  {token}\n"
            "Send a recording, this one or your own:\n"
            f'  curl -H "Authorization: Bearer {in_curl}" -F "file=@{SAMPLE}"'
            f" {self._processes.listener.url}/api/v1/recordings/upload"
        )
