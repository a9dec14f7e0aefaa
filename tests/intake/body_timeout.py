"""Timeouts of the server in these tests. A separate module, because gunicorn reads it before gevent patches."""

MAX_SILENT_SECONDS = 3.0
LINGER_SECONDS = 2.0
