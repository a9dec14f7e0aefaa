"""Fixtures of the tests of OpenAI's audio API."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.fakes import MemoryJobNotifier
from tests.support.clips import run_inline


@pytest.fixture
def inline(work: Callable[[], None], notifier: MemoryJobNotifier) -> MemoryJobNotifier:
    """Let a worker run each job in the request that queues it."""
    run_inline(notifier)
    return notifier
