"""Facts about a media file, and the limits on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

SAMPLE_RATE = 16_000
"""Decoded audio is headerless little-endian 16 bit mono at this rate: 32,000 bytes a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioTrack:
    """One audio track as its file describes it. `codec` is empty if FFmpeg does not know the codec."""

    codec: str
    channels: int
    language: str | None
    title: str | None
    is_decodable: bool

    def to_json(self, index: int) -> dict[str, Any]:
        """Return the track in the form of the API; what only decoding shows is None."""
        return {
            "index": index,
            "codec": self.codec or None,
            "channels": self.channels or None,
            "language": self.language,
            "title": self.title,
            "is_silent": None,
            "is_used": None,
            "same_as": None,
            "is_split": None,
        }


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
    """From the file's own tags. Without a time zone if the file does not say one."""
    tracks: Sequence[AudioTrack] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedAudio:
    """Result of decoding one track: the true length, and what was skipped because it is broken."""

    duration_seconds: float
    bad_packet_count: int
    skipped_seconds: float = 0.0
    is_cut_off: bool = False
    """Too many packets in a row were broken; what follows them was not decoded."""
    channels: int = 1
    """How many channels the written samples have."""
    is_sample: bool = False
    """Only seconds at equal distances were written."""
    track: int = 0
    """The number of the track among the file's audio tracks, from 0."""
    tracks: Sequence[AudioTrack] = ()
    """The audio tracks of the file, as far as they are described (`probe.MAX_TRACKS`)."""
    track_count: int = 0
    """The number of all audio tracks of the file."""


@dataclass(frozen=True, slots=True)
class MediaLimits:
    """Limits on untrusted media in the sandbox."""

    max_seconds: float
    wall_seconds: float = 20.0
    """Seconds for probing; decoding gets more with the file's size."""
