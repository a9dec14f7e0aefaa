"""Where the server keeps its data, and how it starts for the first time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from speakr.environment import SettingsError, setting
from speakr.model_files.store import folder_of_models


@dataclass(frozen=True, kw_only=True)
class BasicSettings:
    """The key of the server, its folders, and the addresses of its stores."""

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

    def check_basics(self) -> None:
        """Refuse a short key and a negative number of proxies."""
        if len(self.secret_key) < 32:  # noqa: PLR2004 - half of a SHA-256 in hexadecimal
            msg = (
                "SPEAKR_SECRET_KEY is missing or shorter than 32 characters; make one with: "
                "python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"
            )
            raise SettingsError(msg)
        if self.trusted_proxy_count < 0:
            raise SettingsError("SPEAKR_TRUSTED_PROXIES must be 0 or more")

    @property
    def resolved_database_url(self) -> str:
        """The database in use: the configured one, or SQLite in the data folder."""
        return self.database_url or f"sqlite:///{(self.data_dir / 'speakr.db').absolute()}"

    @property
    def models_folder(self) -> Path:
        """The folder of prepared models in use."""
        return folder_of_models(self.models_dir, self.data_dir)


@dataclass(frozen=True, kw_only=True)
class FirstStartSettings:
    """The first user and its token."""

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


@dataclass(frozen=True, kw_only=True)
class UserSettings:
    """Accounts that people make for themselves."""

    registration: bool = setting(
        default=False,
        env="SPEAKR_REGISTRATION",
        section="Users",
        help="Let anyone who reaches this server create an account. `speakr up` turns it on when only this machine can reach it.",
    )
    registration_quota_mb: int = setting(
        default=1000,
        env="SPEAKR_REGISTRATION_QUOTA_MB",
        section="Users",
        help="Storage of an account made that way, in MiB, unless default_storage_quota_mb is set.",
    )

    def check_users(self) -> None:
        """Refuse a negative quota."""
        if self.registration_quota_mb < 0:
            raise SettingsError("SPEAKR_REGISTRATION_QUOTA_MB must be 0 or more")
