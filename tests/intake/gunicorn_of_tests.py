"""The project's own gunicorn configuration, with less patience, so that tests need not wait a minute."""

from __future__ import annotations

from pathlib import Path

from tests.intake.body_timeout import LINGER_SECONDS, MAX_SILENT_SECONDS

_configuration = Path(__file__).resolve().parents[2] / "config" / "gunicorn.conf.py"
exec(compile(_configuration.read_bytes(), _configuration, "exec"))  # noqa: S102 - our own file, as gunicorn reads it
_initialise = globals()["post_worker_init"]


def post_worker_init(worker) -> None:
    """Lower the patience once the app is there; not earlier, for gevent patches first."""
    from speakr.web import body_timeout

    _initialise(worker)
    body_timeout.MAX_SILENT_SECONDS = MAX_SILENT_SECONDS
    body_timeout.LINGER_SECONDS = LINGER_SECONDS
