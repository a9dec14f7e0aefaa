"""What the dispatcher does before its first delivery."""

from __future__ import annotations

import gc
from collections.abc import Coroutine
from typing import Any

import pytest
from flask import Flask

from speakr.webhooks import dispatcher

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_the_garbage_collector_leaves_what_the_start_has_made_alone(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking through all of it takes a tenth of a second, in which nothing would be sent."""
    left_to_look_through = []

    def serve(work: Coroutine[Any, Any, None]) -> None:
        work.close()
        left_to_look_through.append(len(gc.get_objects()))

    monkeypatch.setattr(dispatcher.asyncio, "run", serve)
    monkeypatch.setattr(dispatcher.sys, "setswitchinterval", lambda _seconds: None)
    before = len(gc.get_objects())
    try:
        dispatcher.run(app)
    finally:
        gc.unfreeze()
    assert left_to_look_through[0] < before / 10
