"""How gunicorn runs the web process: `gunicorn -c config/gunicorn.conf.py wsgi:app`."""

import gc
import sys
from pathlib import Path

from speakr import private_files
from speakr.operations import web_processes
from speakr.operations.children import die_with_parent
from speakr.settings import Settings, SettingsError

try:
    _settings = Settings.from_env()
except SettingsError as error:
    sys.stderr.write(f"Error: {error}\n")
    raise SystemExit(2) from None

# For what the app writes, and for gunicorn's own files and Unix sockets.
private_files.make_private()
umask = private_files.UMASK
bind = [_settings.bind]
workers = web_processes.count(_settings.web_process_count)
# Greenlets: a slow upload or an open event stream costs a few kilobytes and blocks no other request.
worker_class = "speakr.web.gunicorn_worker.Worker"
# Above what `speakr.web.connections` allows, so that a new connection can take the place of a stalled one.
worker_connections = 2000
# Not preloaded: gevent has to patch the standard library before the app is imported.
preload_app = False
proc_name = "speakr-web"

# The heartbeat comes from the event loop, so this limits a hanging loop and not a long request.
timeout = 60
# On a restart, long streams end and their clients reconnect; the restart does not wait for them.
graceful_timeout = 3
keepalive = 15
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - the heartbeat file must not wait for a disk

limit_request_line = 8190
limit_request_fields = 100
limit_request_field_size = 16_384
# X-Forwarded-* is the business of SPEAKR_TRUSTED_PROXIES alone.
forwarded_allow_ips = ""
secure_scheme_headers: dict[str, str] = {}

# Each answer is counted and each failure logged by the app itself.
accesslog = None
errorlog = "-"
loglevel = "warning" if _settings.log_level.upper() == "INFO" else _settings.log_level.lower()
# Otherwise gunicorn makes a control socket in the home folder.
control_socket_disable = True

_metrics = Path(_settings.metrics_dir or _settings.data_dir / "metrics").absolute()
_counters_are_shared = workers > 1 or bool(_settings.metrics_dir)
if _counters_are_shared:
    # Read by prometheus_client when a worker imports it, and by Settings in the same worker.
    raw_env = [f"PROMETHEUS_MULTIPROC_DIR={_metrics}"]


def on_starting(_server) -> None:  # noqa: ANN001 - gunicorn has no types
    """Forget the counters of an earlier run, as prometheus_client asks."""
    if _counters_are_shared:
        _metrics.mkdir(parents=True, exist_ok=True)
        for counters in _metrics.glob("*.db"):
            counters.unlink()


def post_fork(_server, worker) -> None:  # noqa: ANN001
    """Leave no worker behind when the master is killed."""
    die_with_parent(worker.ppid)


def post_worker_init(_worker) -> None:  # noqa: ANN001
    """Let the garbage collector skip what is loaded for good, and watch the event loop."""
    gc.collect()
    gc.freeze()
    from speakr.web.loop_watch import LoopWatch  # noqa: PLC0415 - gevent has patched the standard library by now

    LoopWatch().start()


def child_exit(_server, worker) -> None:  # noqa: ANN001
    """Let go of a dead worker's gauges."""
    if _counters_are_shared:
        from prometheus_client import multiprocess  # noqa: PLC0415 - the master can do without it otherwise

        multiprocess.mark_process_dead(worker.pid, path=str(_metrics))
