"""Every setting, typed, read once.

A setting is one field below: its type, its default and a sentence. `config/env.example` and
`docs/settings.md` are generated from these fields, and a test fails when they differ.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from speakr.environment import (
    SettingsError,
    check_address,
    check_origins,
    check_time_zone,
    declared_in,
    per_minute,
    read,
    setting,
)
from speakr.model_files.store import folder_of_models
from speakr.speech_settings import SpeechSettings

__all__ = ["Settings", "SettingsError"]


@dataclass(frozen=True, kw_only=True)
class Settings(SpeechSettings):
    """The operator's settings. Built by `from_env`; tests build it by keyword."""

    # -- where things live
    secret_key: str = setting(
        env="SPEAKR_SECRET_KEY",
        secret=True,
        section="Basics",
        help="At least 32 random characters. Encrypts webhook secrets at rest; if you lose it, rotate every webhook.",
    )
    data_dir: Path = setting(
        default=Path("data"),
        env="SPEAKR_DATA",
        section="Basics",
        help="Folder for all data: the SQLite file, local storage, logs.",
    )
    models_dir: str = setting(
        default="",
        env="SPEAKR_MODELS",
        section="Basics",
        help="Folder of the models that `speakr models prepare` makes. Empty: `share/speakr/models` of the Python environment if it exists, else `models` in the data folder.",
    )
    database_url: str = setting(
        default="",
        env="DATABASE_URL",
        section="Basics",
        help="SQLAlchemy URL, for example postgresql+psycopg://user:password@host/speakr. Empty: SQLite in the data folder.",
    )
    redis_url: str = setting(
        default="redis://127.0.0.1:6379/0",
        env="REDIS_URL",
        section="Basics",
        help="Redis: job notifications, rate limits, live events. It holds no data that cannot be rebuilt.",
    )
    storage_url: str = setting(
        default="",
        env="SPEAKR_STORAGE_URL",
        section="Basics",
        help="Storage for audio: a folder path or s3://bucket/prefix (credentials as boto3 finds them). Empty: blobs in the data folder.",
    )
    s3_endpoint_url: str = setting(
        default="",
        env="SPEAKR_S3_ENDPOINT_URL",
        section="Basics",
        help="Endpoint of an S3-compatible server. Empty: AWS.",
    )
    scratch_dir: str = setting(
        default="",
        env="SPEAKR_SCRATCH",
        section="Basics",
        help="Local folder for decoded audio while a job runs. Empty: the system's temporary folder.",
    )
    public_url: str = setting(
        default="",
        env="SPEAKR_PUBLIC_URL",
        section="Basics",
        help="Base URL of this server for users, used in links. Empty: taken from each request.",
    )
    trusted_proxy_count: int = setting(
        default=0,
        env="SPEAKR_TRUSTED_PROXIES",
        section="Basics",
        help="Number of reverse proxies in front that set X-Forwarded-*. 0: ignore those headers.",
    )

    # -- intake
    max_file_size_mb: int = setting(
        default=2048,
        env="SPEAKR_MAX_FILE_SIZE_MB",
        section="Uploads",
        help="Largest audio file accepted, in MiB.",
    )
    max_audio_only_video_size_mb: int = setting(
        default=4096,
        env="SPEAKR_MAX_AUDIO_ONLY_VIDEO_SIZE_MB",
        section="Uploads",
        help="Largest video accepted when only its sound is kept, in MiB.",
    )
    max_duration_hours: float = setting(
        default=12.0,
        env="SPEAKR_MAX_DURATION_HOURS",
        section="Uploads",
        help="Longest audio accepted, in hours, measured while decoding.",
    )
    min_free_disk_mb: int = setting(
        default=256,
        env="SPEAKR_MIN_FREE_DISK_MB",
        section="Uploads",
        help="Uploads are refused (507) when the local storage has less free space than this, in MiB.",
    )
    max_open_uploads: int = setting(
        default=20,
        env="SPEAKR_MAX_OPEN_UPLOADS",
        section="Uploads",
        help="Resumable, fetched and signed uploads that one user may have open at the same time.",
    )
    upload_expiry_hours: float = setting(
        default=24.0,
        env="SPEAKR_UPLOAD_EXPIRY_HOURS",
        section="Uploads",
        help="A resumable upload is removed when no byte has arrived for this long, in hours.",
    )
    fetches_per_user: int = setting(
        default=2,
        env="SPEAKR_FETCHES_PER_USER",
        section="Uploads",
        help="Uploads from a URL that are fetched at the same time for one user. 0: no uploads from a URL.",
    )
    fetch_timeout_seconds: float = setting(
        default=3600.0,
        env="SPEAKR_FETCH_TIMEOUT_SECONDS",
        section="Uploads",
        help="Total time for one attempt to fetch a file, in seconds.",
    )
    fetch_idle_seconds: float = setting(
        default=30.0,
        env="SPEAKR_FETCH_IDLE_SECONDS",
        section="Uploads",
        help="An attempt to fetch a file ends when no byte has arrived for this long, in seconds.",
    )
    fetch_allowed_hosts: str = setting(
        default="",
        env="SPEAKR_FETCH_HOST_ALLOWLIST",
        section="Uploads",
        help="Comma list of exact host names and CIDR ranges from which users may fetch files although they are not public.",
    )
    fetch_proxy_url: str = setting(
        "",
        env="SPEAKR_FETCH_PROXY_URL",
        section="Uploads",
        help="http:// or socks5:// proxy to fetch through.",
    )
    video_retention: bool = setting(
        default=False,
        env="VIDEO_RETENTION",
        section="Uploads",
        help="Keep the picture of uploaded videos. Off: only the sound is stored.",
    )
    enable_folders: bool = setting(
        default=False,
        env="ENABLE_FOLDERS",
        section="Uploads",
        help="Turn folders on. The administrator's setting enable_folders overrides it.",
    )
    users_can_delete: bool = setting(
        default=True,
        env="USERS_CAN_DELETE",
        section="Uploads",
        help="Whether users who are not admins may delete recordings.",
    )

    # -- speech
    transcription_connector: str = setting(
        default="auto",
        env="TRANSCRIPTION_CONNECTOR",
        section="Transcription",
        help="auto, {engines}. auto takes openai when a base URL or key is set, else the embedded English engine.",
    )
    transcription_base_url: str = setting(
        default="",
        env="TRANSCRIPTION_BASE_URL",
        section="Transcription",
        help="Base URL of the engine, for example http://whisper:8000/v1 for an OpenAI-compatible one.",
    )
    transcription_api_key: str = setting(
        default="",
        env="TRANSCRIPTION_API_KEY",
        secret=True,
        section="Transcription",
        help="Key for that API.",
    )
    transcription_model: str = setting(
        default="whisper-1",
        env="TRANSCRIPTION_MODEL",
        section="Transcription",
        help="Default model of openai. Other engines have their own default.",
    )
    transcription_models: str = setting(
        default="",
        env="TRANSCRIPTION_MODELS_AVAILABLE",
        section="Transcription",
        help="Comma list of models that a request may name (value or value:label). Empty: only the default.",
    )
    transcription_timeout_seconds: float = setting(
        default=600.0,
        env="TRANSCRIPTION_TIMEOUT_SECONDS",
        section="Transcription",
        help="Time limit for one chunk at a remote transcription API, in seconds.",
    )
    diarization: bool = setting(
        default=True, env="SPEAKR_DIARIZATION", section="Transcription", help="Tell speakers apart."
    )
    voice_profiles: bool = setting(
        default=True, env="SPEAKR_VOICE_PROFILES", section="Transcription", help="Learn and recognise voices."
    )

    # -- language
    llm_base_url: str = setting(
        default="",
        env="TEXT_MODEL_BASE_URL",
        section="Language model",
        help="Base URL of an OpenAI-compatible chat API. Empty, without a key: extractive summaries, made by the server.",
    )
    llm_api_key: str = setting(
        default="",
        env="TEXT_MODEL_API_KEY",
        secret=True,
        section="Language model",
        help="Key for that API.",
    )
    llm_model: str = setting(
        default="gpt-4o-mini",
        env="TEXT_MODEL_NAME",
        section="Language model",
        help="Model that writes titles and summaries.",
    )
    llm_context_tokens: int = setting(
        default=8000,
        env="TEXT_MODEL_CONTEXT_TOKENS",
        section="Language model",
        help="Size of the model's context, in tokens. Longer transcripts are summarised in parts and merged.",
    )
    llm_timeout_seconds: float = setting(
        default=180.0,
        env="TEXT_MODEL_TIMEOUT_SECONDS",
        section="Language model",
        help="Time limit for one request, in seconds.",
    )

    embedding_base_url: str = setting(
        default="",
        env="EMBEDDING_MODEL_BASE_URL",
        section="Language model",
        help="Base URL of an OpenAI-compatible embeddings API. Empty: that of the text model.",
    )
    embedding_api_key: str = setting(
        default="",
        env="EMBEDDING_MODEL_API_KEY",
        secret=True,
        section="Language model",
        help="Key for that API. Empty: that of the text model, if the base URL is the same.",
    )
    embedding_model: str = setting(
        default="",
        env="EMBEDDING_MODEL_NAME",
        section="Language model",
        help="Model for search by meaning at that API; all transcripts are sent to it. Empty: the models of this server. off: no search by meaning.",
    )
    embedding_timeout_seconds: float = setting(
        default=20.0,
        env="EMBEDDING_MODEL_TIMEOUT_SECONDS",
        section="Language model",
        help="Time limit for one request with passages, in seconds. A question waits at most 5 seconds.",
    )

    time_zone: str = setting(
        default="UTC",
        env="SPEAKR_TIME_ZONE",
        section="Language model",
        help="IANA time zone of phrases like “tomorrow at three”, for users who have not set theirs.",
    )

    # -- first start
    admin_password: str = setting(
        default="",
        env="SPEAKR_ADMIN_PASSWORD",
        secret=True,
        section="First start",
        help="Password of the user `admin`, which `speakr up` makes when there are no users. Empty: a random one, printed once.",
    )
    bootstrap_token: str = setting(
        default="",
        env="SPEAKR_BOOTSTRAP_TOKEN",
        secret=True,
        section="First start",
        help="That user's first API token, at least 32 random characters. Empty: a random one, printed once.",
    )

    # -- jobs
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

    # -- webhooks
    webhook_enabled: bool = setting(
        default=True,
        env="WEBHOOK_GLOBAL_ENABLED",
        section="Webhooks",
        help="Off: no webhook is written or sent.",
    )
    webhook_max_attempts: int = setting(
        default=5,
        env="WEBHOOK_MAX_ATTEMPTS",
        section="Webhooks",
        help="Attempts per delivery, the first included (1 to 12).",
    )
    webhook_timeout_seconds: float = setting(
        default=15.0,
        env="WEBHOOK_DELIVERY_TIMEOUT_SECONDS",
        section="Webhooks",
        help="Total time for one attempt, from the name look-up to the status line.",
    )
    webhook_autopause_failures: int = setting(
        default=10,
        env="WEBHOOK_AUTOPAUSE_FAILURES",
        section="Webhooks",
        help="Number of deliveries in a row that fail for good before a webhook is paused.",
    )
    webhook_max_per_user: int = setting(
        default=10,
        env="WEBHOOK_MAX_PER_USER",
        section="Webhooks",
        help="Maximum number of webhooks per user.",
    )
    webhook_allowed_hosts: str = setting(
        default="",
        env="WEBHOOK_INTRANET_HOST_ALLOWLIST",
        section="Webhooks",
        help="Comma list of exact host names and CIDR ranges that webhooks may reach although they are not public.",
    )
    webhook_proxy_url: str = setting(
        "", env="WEBHOOK_PROXY_URL", section="Webhooks", help="http:// or socks5:// proxy to send through."
    )
    webhook_history_days: int = setting(
        30, env="WEBHOOK_HISTORY_DAYS", section="Webhooks", help="Days to keep events and deliveries."
    )
    webhook_history_rows: int = setting(
        1_000_000,
        env="WEBHOOK_HISTORY_ROWS",
        section="Webhooks",
        help="Maximum number of events, and of deliveries.",
    )
    smtp_url: str = setting(
        "",
        env="SPEAKR_SMTP_URL",
        section="Mail",
        help="smtp:// or smtps:// server that sends notices by mail. smtp:// uses STARTTLS if the server offers it.",
    )
    smtp_allow_plaintext: bool = setting(
        default=False,
        env="SPEAKR_SMTP_ALLOW_PLAINTEXT",
        section="Mail",
        help="Send the password of SPEAKR_SMTP_URL without encryption if the mail server offers no STARTTLS.",
    )
    mail_from: str = setting(
        "", env="SPEAKR_MAIL_FROM", section="Mail", help="Sender's address of these mails."
    )

    # -- limits and logs
    unauthenticated_user: str = setting(
        default="",
        env="SPEAKR_UNAUTHENTICATED_USER",
        section="Limits and logs",
        help="User as whom calls without a credential act, in APIs that are made for clients without one; /api/v1 is none of them. Empty: such calls are refused.",
    )
    allowed_hosts: str = setting(
        default="",
        env="SPEAKR_ALLOWED_HOSTS",
        section="Limits and logs",
        help="Comma list of host names by which clients call this server, without ports. Requests for other hosts get a 400. Empty: any.",
    )
    cors_origins: str = setting(
        default="",
        env="SPEAKR_CORS_ORIGINS",
        section="Limits and logs",
        help="Web pages that may call the API from browsers: a comma list of origins such as https://app.example.org, or *. Empty: none.",
    )
    rate_limits_enabled: bool = setting(
        default=True,
        env="SPEAKR_RATE_LIMITS",
        section="Limits and logs",
        help="Limit requests per minute and token. Turn it off for load tests.",
    )
    rate_limit_stats: int = per_minute(60, "STATS", "dashboard numbers, per token")
    rate_limit_status: int = per_minute(300, "STATUS", "status of a recording, per token")
    rate_limit_get: int = per_minute(100, "GET", "all other GET requests, per token")
    rate_limit_write: int = per_minute(30, "WRITE", "changes, per token")
    rate_limit_processing: int = per_minute(
        10, "PROCESSING", "uploads and other work for the engines, per token"
    )
    rate_limit_upload: int = per_minute(300, "UPLOAD", "pieces of resumable uploads, per token")
    rate_limit_batch: int = per_minute(10, "BATCH", "changes of many recordings at once, per token")
    rate_limit_password: int = per_minute(5, "PASSWORD", "attempts with a password, per client address")
    rate_limit_bad_token: int = per_minute(30, "BAD_TOKEN", "attempts with a wrong token, per client address")
    metrics_token: str = setting(
        default="",
        env="SPEAKR_METRICS_TOKEN",
        secret=True,
        section="Limits and logs",
        help="Bearer token for /metrics. Empty: /metrics answers only to loopback addresses.",
    )
    metrics_dir: str = setting(
        default="",
        env="PROMETHEUS_MULTIPROC_DIR",
        section="Limits and logs",
        help="Folder for the counters that several web processes share. Required with more than one.",
    )
    log_level: str = setting(
        "INFO", env="SPEAKR_LOG_LEVEL", section="Limits and logs", help="DEBUG to CRITICAL."
    )
    log_format: str = setting(
        "text", env="SPEAKR_LOG_FORMAT", section="Limits and logs", help="text for people, json for machines."
    )

    def __post_init__(self) -> None:
        """Raise `SettingsError` for values that would fail later."""
        if len(self.secret_key) < 32:  # noqa: PLR2004 - half of a SHA-256 in hexadecimal
            msg = (
                "SPEAKR_SECRET_KEY is missing or shorter than 32 characters; make one with: "
                "python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"
            )
            raise SettingsError(msg)
        self.check_engines(self.transcription_connector)
        if not 1 <= self.webhook_max_attempts <= 12:  # noqa: PLR2004 - the schedule has twelve steps
            raise SettingsError("WEBHOOK_MAX_ATTEMPTS must be between 1 and 12")
        if len(self.embedding_model) > 120:  # noqa: PLR2004 - the width of the column
            raise SettingsError("EMBEDDING_MODEL_NAME has more than 120 characters")
        check_time_zone("SPEAKR_TIME_ZONE", self.time_zone)
        self._check_uploads()
        if self.trusted_proxy_count < 0:
            raise SettingsError("SPEAKR_TRUSTED_PROXIES must be 0 or more")
        if min(self.webhook_history_days, self.webhook_history_rows) < 1:
            raise SettingsError("WEBHOOK_HISTORY_DAYS and WEBHOOK_HISTORY_ROWS must be at least 1")
        check_address("WEBHOOK_PROXY_URL", self.webhook_proxy_url, {"http", "socks5"})
        check_address("SPEAKR_SMTP_URL", self.smtp_url, {"smtp", "smtps"})
        if self.smtp_url and "@" not in self.mail_from:
            raise SettingsError("SPEAKR_MAIL_FROM must be an address when SPEAKR_SMTP_URL is set")
        check_origins("SPEAKR_CORS_ORIGINS", self.cors_origins)
        for field in declared_in(self):
            if field.name.startswith("rate_limit_") and getattr(self, field.name) < 1:
                raise SettingsError(f"{field.metadata['env']} must be at least 1")

    def _check_uploads(self) -> None:
        if self.max_open_uploads < 1 or self.upload_expiry_hours <= 0:
            raise SettingsError("SPEAKR_MAX_OPEN_UPLOADS and SPEAKR_UPLOAD_EXPIRY_HOURS must be above 0")
        if self.fetches_per_user < 0:
            raise SettingsError("SPEAKR_FETCHES_PER_USER must be 0 or more")
        if min(self.fetch_timeout_seconds, self.fetch_idle_seconds) <= 0:
            raise SettingsError("SPEAKR_FETCH_TIMEOUT_SECONDS and SPEAKR_FETCH_IDLE_SECONDS must be above 0")
        check_address("SPEAKR_FETCH_PROXY_URL", self.fetch_proxy_url, {"http", "socks5"})

    @property
    def resolved_database_url(self) -> str:
        """The database in use: the configured one, or SQLite in the data folder."""
        return self.database_url or f"sqlite:///{(self.data_dir / 'speakr.db').absolute()}"

    @property
    def models_folder(self) -> Path:
        """The folder of prepared models in use."""
        return folder_of_models(self.models_dir, self.data_dir)

    @property
    def allowed_host_names(self) -> frozenset[str]:
        """The host names of `allowed_hosts`, in lower case."""
        return frozenset(name.strip().lower() for name in self.allowed_hosts.split(",") if name.strip())

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the process environment (or the mapping given) once.

        Raises:
            SettingsError: a required setting is missing or a value cannot be read.

        """
        source = os.environ if environ is None else environ
        return read(cls, source, engine_environment=dict(source))
