"""Examine an uploaded file: whether it is media, whether it can be decoded, and its real format."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from speakr.domain import recording_dates
from speakr.domain.clock import now
from speakr.domain.errors import MediaToolFailed, UnusableMedia
from speakr.media.base import AudioTrack, MediaInfo, MediaLimits
from speakr.media.containers import (
    HEAD_BYTES,
    container_of,
    doc_type,
    looks_like_dictation,
    looks_like_media,
    looks_like_playlist,
    media_type_of,
)
from speakr.media.refusals import refusal, too_long
from speakr.media.sandbox import SandboxLimits, run

CPU_SECONDS = 10
MAX_TRACKS, MAX_TEXT = 32, 64
"""Number of tracks that are described, and the length of their texts."""

_WITHOUT_LENGTH = frozenset({"aac", "ac3", "eac3", "mp3"})
_MP3_HEADERS, _MP3_HEADER_BYTES = (b"Xing", b"Info", b"VBRI"), 1 << 20
"""What encoders of MP3 write into the first frame, which counts the frames; pictures may come before it."""
_MEASURE_CPU_SECONDS = 120
"""Reading the packets of ten hours takes a few seconds."""


def probe(path: Path, limits: MediaLimits) -> MediaInfo:
    """Examine a file and decode its first second, in the sandbox.

    Raises:
        UnusableMedia: it has no decodable sound, or too much of it; the slug says which.
        MediaToolFailed: the examination failed for a reason that need not be the file.
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head:
        raise refusal("empty_file")
    if looks_like_playlist(head):
        raise refusal("unsupported_format")
    if looks_like_dictation(head):
        raise refusal("dictation")
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
    # What a header says, or FFmpeg guesses from a bit rate, refuses nothing.
    if _exceeds(info, limits) or _is_length_guessed(info, path):
        info = replace(info, duration_seconds=_measured_seconds(path, limits))
    if _exceeds(info, limits):
        raise too_long(limits.max_seconds)
    return info


def _exceeds(info: MediaInfo, limits: MediaLimits) -> bool:
    return info.duration_seconds is not None and info.duration_seconds > limits.max_seconds


def _is_length_guessed(info: MediaInfo, path: Path) -> bool:
    """Return whether the file says nothing about its length, so that FFmpeg guesses it from its size."""
    if info.container not in _WITHOUT_LENGTH:
        return False
    with path.open("rb") as file:
        head = file.read(_MP3_HEADER_BYTES)
    return not any(mark in head for mark in _MP3_HEADERS)


def _measured_seconds(path: Path, limits: MediaLimits) -> float | None:
    """Return the length according to all packets; None if it cannot be known without decoding."""
    allowance = SandboxLimits(cpu_seconds=_MEASURE_CPU_SECONDS, wall_seconds=max(limits.wall_seconds, 120.0))
    try:
        return _seconds(run("measure", path, allowance).result.get("seconds"))
    except UnusableMedia:  # decoding will say why
        return None


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
        audio_stream_count=int(found["track_count"]),
        has_video=has_video,
        recorded_at=recording_dates.from_tags(found["dates"], now()),
        tracks=tracks_of(found["tracks"]),
    )


def tracks_of(found: Sequence[Mapping[str, Any]]) -> tuple[AudioTrack, ...]:
    """Validate the child's description of tracks."""
    return tuple(
        AudioTrack(
            codec=str(track["codec"])[:MAX_TEXT],
            channels=int(track["channels"]),
            language=_text(track["language"], unknown="und"),
            title=_text(track["title"], unknown="SoundHandler"),
            is_decodable=bool(track["is_decodable"]),
        )
        for track in found[:MAX_TRACKS]
    )


def _text(value: object, *, unknown: str) -> str | None:
    """Return a tag without what cannot be printed; None if it says nothing. unknown: what writers put in for nothing."""
    text = "".join(letter for letter in str(value) if letter.isprintable())[:MAX_TEXT].strip()
    return None if text in {"", unknown} else text


def _seconds(declared: Any) -> float | None:
    if not isinstance(declared, float | int) or not math.isfinite(declared) or declared <= 0:
        return None
    return float(declared)
