"""When a transcription will be done, from the speed of the same engine and model so far.

The speed is kept in Redis for a month, as seconds of processing per second of audio, and follows the latest recordings. The
expected time is computed once per claim of the job, and stored in its plan, so what is shown only goes down.
"""

from __future__ import annotations

import contextlib
import time
from typing import Final

from speakr.jobs import engine_memory

MIN_AUDIO_SECONDS: Final = 30.0
"""Of shorter recordings most of the time is spent on other work."""
_MEMORY_SECONDS: Final = 30 * 24 * 3600
_WEIGHT: Final = 0.3
"""Of the latest recording."""
_AFTERWORK_SECONDS: Final = 1.0


def learn(engine: str, *, seconds: float, audio_seconds: float) -> None:
    """Take the time of a whole transcription into account."""
    if audio_seconds < MIN_AUDIO_SECONDS or seconds <= 0:
        return
    speed, known = seconds / audio_seconds, _speed(engine)
    speed = speed if known is None else known + _WEIGHT * (speed - known)
    engine_memory.remember(_name(engine), f"{speed:.6f}", _MEMORY_SECONDS)


def expected_at(engine: str, audio_seconds: float) -> float | None:
    """Return when so much audio will be transcribed, in seconds since 1970; None without a history."""
    speed = _speed(engine)
    return None if speed is None else round(time.time() + _AFTERWORK_SECONDS + speed * audio_seconds, 1)


def _speed(engine: str) -> float | None:
    kept = engine_memory.recall(_name(engine))
    with contextlib.suppress(ValueError):
        speed = float(kept or "")
        return speed if 0 < speed < float("inf") else None
    return None


def _name(engine: str) -> str:
    return f"speed:{engine}"
