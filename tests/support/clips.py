"""Let a worker run clips in the requests that queue them, in tests of one process."""

from __future__ import annotations

from speakr.jobs import runner
from speakr.media import noise_level, speech  # noqa: F401 - a worker imports them once; a request may not
from tests.fakes import MemoryJobNotifier


def run_inline(notifier: MemoryJobNotifier) -> None:
    """Run each clip as soon as it is queued."""
    notifier.run_clip = runner.run
