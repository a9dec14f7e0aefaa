"""Limits and logs: hosts, origins, rate limits, metrics and logs."""

from __future__ import annotations

from dataclasses import dataclass

from speakr.environment import SettingsError, check_origins, declared_in, per_minute, setting


@dataclass(frozen=True, kw_only=True)
class LimitSettings:
    """Who may call, how often, and what is written about it."""

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
    rate_limit_registration: int = per_minute(5, "REGISTRATION", "new accounts, per client address")
    rate_limit_compat_user: int = per_minute(60, "COMPAT_USER", "APIs of other products, per token")
    rate_limit_compat_anonymous: int = per_minute(
        10, "COMPAT_ANONYMOUS", "APIs of other products without a token, per client address"
    )
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

    def check_limits(self) -> None:
        """Refuse origins that no browser sends, and rates below 1 per minute."""
        check_origins("SPEAKR_CORS_ORIGINS", self.cors_origins)
        for field in declared_in(self):
            if field.name.startswith("rate_limit_") and getattr(self, field.name) < 1:
                raise SettingsError(f"{field.metadata['env']} must be at least 1")

    @property
    def allowed_host_names(self) -> frozenset[str]:
        """The host names of `allowed_hosts`, in lower case."""
        return frozenset(name.strip().lower() for name in self.allowed_hosts.split(",") if name.strip())
