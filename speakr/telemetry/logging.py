"""Logs: a static event name and fields, one line each."""

from __future__ import annotations

import logging
import sys

import structlog

_NOISY = (
    *("rq", "rq.worker", "botocore", "boto3", "urllib3", "alembic"),
    # openai asks through httpx2, older ones through httpx: with the provider's address in every line.
    *("openai", "httpx", "httpcore", "httpx2", "httpcore2"),
)
"""These speak of every request and every wake-up; we have our own words for what matters."""


def configure(level: str, log_format: str) -> None:
    """Send structlog and the standard library's loggers to stderr in one format (`text` or `json`)."""
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=30)
    )
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    # Once: every logger keeps the list of processors it first saw, and a second list would never reach those.
    if not structlog.is_configured():
        structlog.configure(
            processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
            logger_factory=structlog.stdlib.LoggerFactory(),
            wrapper_class=structlog.stdlib.BoundLogger,
            cache_logger_on_first_use=True,
        )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for noisy in _NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)
