"""A WSGI app that only shows how it is served."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from typing import Any

MOST = 4
"""Connections that `small_worker` admits; it stands here because tests must not import that module."""


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    environ["wsgi.input"].read()
    answers = {
        "/environment": os.environ.get("PROMETHEUS_MULTIPROC_DIR", ""),
        "/scheme": environ["wsgi.url_scheme"],
    }
    if environ["PATH_INFO"] == "/wait":
        time.sleep(20)
    start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] == "/large":
        return [bytes(1 << 20)] * 64
    return [answers.get(environ["PATH_INFO"], "hello").encode()]
