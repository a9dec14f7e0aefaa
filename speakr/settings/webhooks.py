"""Webhooks and mail: what the server sends."""

from __future__ import annotations

from dataclasses import dataclass

from speakr.environment import SettingsError, check_address, setting


@dataclass(frozen=True, kw_only=True)
class WebhookSettings:
    """Attempts, limits and history of deliveries."""

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

    def check_webhooks(self) -> None:
        """Refuse impossible numbers of attempts or days, and an unreadable address of a proxy."""
        if not 1 <= self.webhook_max_attempts <= 12:  # noqa: PLR2004 - the schedule has twelve steps
            raise SettingsError("WEBHOOK_MAX_ATTEMPTS must be between 1 and 12")
        if min(self.webhook_history_days, self.webhook_history_rows) < 1:
            raise SettingsError("WEBHOOK_HISTORY_DAYS and WEBHOOK_HISTORY_ROWS must be at least 1")
        check_address("WEBHOOK_PROXY_URL", self.webhook_proxy_url, {"http", "socks5"})


@dataclass(frozen=True, kw_only=True)
class MailSettings:
    """The server that sends notices by mail."""

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

    def check_mail(self) -> None:
        """Refuse an unreadable address of the server, and a server without a sender."""
        check_address("SPEAKR_SMTP_URL", self.smtp_url, {"smtp", "smtps"})
        if self.smtp_url and "@" not in self.mail_from:
            raise SettingsError("SPEAKR_MAIL_FROM must be an address when SPEAKR_SMTP_URL is set")
