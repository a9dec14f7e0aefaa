"""Clips in one process: the job runs as soon as it is queued."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.fakes import MemoryJobNotifier
from tests.support.clips import run_inline


@pytest.fixture
def inline(work: Callable[[], None], notifier: MemoryJobNotifier) -> MemoryJobNotifier:
    """Let a worker run each job in the request that queues it."""
    run_inline(notifier)
    return notifier


def events_in(stream: bytes) -> list[tuple[str, Any]]:
    """Return the server-sent events of a body: name and data."""
    import json

    found = []
    for block in stream.decode().split("\n\n"):
        lines = [line for line in block.splitlines() if not line.startswith(":")]
        if lines:
            name = lines[0].removeprefix("event: ")
            found.append((name, json.loads(lines[1].removeprefix("data: "))))
    return found
