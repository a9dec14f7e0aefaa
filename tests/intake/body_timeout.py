"""How long the server of these tests waits for clients. Alone here, for gunicorn reads it before gevent patches."""

MAX_SILENT_SECONDS = 3.0
LINGER_SECONDS = 2.0
