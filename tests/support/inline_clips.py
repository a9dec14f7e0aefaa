"""Clips in one process: a worker runs each job before the request that queued it goes on."""

from __future__ import annotations

import threading

from tests.fakes import MemoryJobNotifier


def run_clips_at_once(notifier: MemoryJobNotifier) -> None:
    """Let a thread beside the event loop run the jobs, as a worker's process does."""
    from speakr.jobs import runner

    def run(job_id: int) -> None:
        worker = threading.Thread(target=runner.run, args=(job_id,))
        worker.start()
        worker.join()

    notifier.run_clip = run
