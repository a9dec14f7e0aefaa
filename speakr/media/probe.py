"""Examine an uploaded file: whether it is media, whether it can be decoded, and its real format."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from speakr.domain.clock import now, parse_iso
from speakr.domain.errors import MediaToolFailed, UnusableMedia
from speakr.media.base import MediaInfo, MediaLimits
from speakr.media.containers import (
    HEAD_BYTES,
    container_of,
    doc_type,
    looks_like_media,
    looks_like_playlist,
    media_type_of,
)
from speakr.media.refusals import refusal, too_long
from speakr.media.sandbox import SandboxLimits, run

CPU_SECONDS = 10

_FIRST_BELIEVABLE = datetime(1995, 1, 1, tzinfo=UTC)
"""Clocks that were never set say 1904 (QuickTime), 1970 (Unix) or 1980 (FAT)."""


def probe(path: Path, limits: MediaLimits) -> MediaInfo:
    """Examine a file and decode its first second, in the sandbox.

    Raises:
        UnusableMedia: it has no decodable sound, or declares too long a duration; the slug says which.
        MediaToolFailed: the examination failed for a reason that need not be the file.
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head:
        raise refusal("empty_file")
    if looks_like_playlist(head):
        raise refusal("unsupported_format")
    try:
        report = run("probe", path, SandboxLimits(cpu_seconds=CPU_SECONDS, wall_seconds=limits.wall_seconds))
    except UnusableMedia as error:
        # FFmpeg reports the same error for a text file and for a video without an index; the first bytes differ.
        if error.slug == "not_media" and looks_like_media(head):
            raise refusal("undecodable") from None
        raise
    try:
        info = _info(report.result, doc=doc_type(head))
    except (KeyError, TypeError, ValueError, OverflowError):
        raise MediaToolFailed("Reading this file failed; it may work on another try.") from None
    if info.duration_seconds is not None and info.duration_seconds > limits.max_seconds:
        raise too_long(limits.max_seconds)
    return info


def _info(found: Mapping[str, Any], *, doc: str | None) -> MediaInfo:
    """Validate the child's report, which is untrusted like the file."""
    codec, has_video = str(found["codec"]), bool(found["has_video"])
    container = container_of(found["demuxer"], brand=found["brand"], doc=doc)
    media_type, extension = media_type_of(container, codec, has_video=has_video)
    return MediaInfo(
        container=container.name,
        mime_type=media_type,
        extension=extension,
        duration_seconds=_seconds(found["duration"]),
        audio_codec=codec,
        audio_stream_count=int(found["audio_stream_count"]),
        has_video=has_video,
        recorded_at=_moment(found["created"]),
    )


def _seconds(declared: float | None) -> float | None:
    if declared is None or not math.isfinite(declared) or declared <= 0:
        return None
    return float(declared)


def _moment(text: str | None) -> datetime | None:
    """Return the container's date; None for the default of an unset clock and for the future."""
    if not text:
        return None
    try:
        moment = parse_iso(text)
    except (ValueError, OverflowError):
        return None
    return moment if _FIRST_BELIEVABLE <= moment <= now() + timedelta(days=1) else None
