"""Uploads: sizes, resumable uploads, uploads from a URL, and what users may do with recordings."""

from __future__ import annotations

from dataclasses import dataclass

from speakr.environment import SettingsError, check_address, setting


@dataclass(frozen=True, kw_only=True)
class UploadSettings:
    """How recordings arrive and what is kept of them."""

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

    def check_uploads(self) -> None:
        """Refuse limits that allow no upload, and an unreadable address of a proxy."""
        if self.max_open_uploads < 1 or self.upload_expiry_hours <= 0:
            raise SettingsError("SPEAKR_MAX_OPEN_UPLOADS and SPEAKR_UPLOAD_EXPIRY_HOURS must be above 0")
        if self.fetches_per_user < 0:
            raise SettingsError("SPEAKR_FETCHES_PER_USER must be 0 or more")
        if min(self.fetch_timeout_seconds, self.fetch_idle_seconds) <= 0:
            raise SettingsError("SPEAKR_FETCH_TIMEOUT_SECONDS and SPEAKR_FETCH_IDLE_SECONDS must be above 0")
        check_address("SPEAKR_FETCH_PROXY_URL", self.fetch_proxy_url, {"http", "socks5"})
