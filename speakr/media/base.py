"""Facts about a media file, and the limits on it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

SAMPLE_RATE = 16_000
"""Decoded audio is headerless little-endian 16 bit mono at this rate: 32,000 bytes a second."""


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """Result of a probe. `duration_seconds` comes from the container and is checked while decoding."""

    container: str
    mime_type: str
    extension: str
    duration_seconds: float | None
    audio_codec: str
    audio_stream_count: int
    has_video: bool
    recorded_at: datetime | None


@dataclass(frozen=True, slots=True)
class DecodedAudio:
    """Result of decoding: the true length, and the number of broken packets that were skipped."""

    duration_seconds: float
    bad_packet_count: int


@dataclass(frozen=True, slots=True)
class MediaLimits:
    """Limits on untrusted media in the sandbox."""

    max_seconds: float
    wall_seconds: float = 20.0
    """Seconds for probing; decoding gets more with the file's size."""
