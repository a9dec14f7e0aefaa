"""Processes: the address of the web server, workers, and jobs."""

from __future__ import annotations

from dataclasses import dataclass

from speakr.environment import setting


@dataclass(frozen=True, kw_only=True)
class ProcessSettings:
    """How many processes run, and what happens to the jobs of those that end."""

    bind: str = setting(
        default="127.0.0.1:8899",
        env="SPEAKR_BIND",
        section="Processes",
        help="Address of gunicorn: host:port or unix:/path. `speakr up` sets it itself.",
    )
    worker_count: int = setting(
        default=2,
        env="SPEAKR_WORKERS",
        section="Processes",
        help="Number of workers that `speakr up` starts. They share the chunks of one recording.",
    )
    web_process_count: int = setting(
        default=0,
        env="SPEAKR_WEB_PROCESSES",
        section="Processes",
        help="Number of gevent web processes that gunicorn runs. 0: two on a machine with two CPUs and 3 GB, else one.",
    )
    job_lease_seconds: float = setting(
        default=10.0,
        env="SPEAKR_JOB_LEASE_SECONDS",
        section="Processes",
        help="Seconds until another worker may resume the job of a worker that no longer reports.",
    )
    quarantine_memory_mb: int = setting(
        default=0,
        env="SPEAKR_QUARANTINE_MEMORY_MB",
        section="Processes",
        help="MB of memory for a job that is tried again alone because its workers died; 0: most of what is available.",
    )
    clip_start_seconds: float = setting(
        default=60.0,
        env="SPEAKR_CLIP_START_SECONDS",
        section="Processes",
        help="Seconds that a request for a transcription that is not kept waits for a free worker before it gets 503.",
    )
    clip_wait_seconds: float = setting(
        default=540.0,
        env="SPEAKR_CLIP_WAIT_SECONDS",
        section="Processes",
        help="Seconds in which such a transcription must be complete; many clients wait for 600.",
    )
    job_max_attempts: int = setting(
        default=5,
        env="SPEAKR_JOB_MAX_ATTEMPTS",
        section="Processes",
        help="Attempts of a job that fails for passing reasons, with growing pauses.",
    )
