"""Decode any recording to 16 kHz PCM."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog

from speakr.domain.errors import MediaToolFailed
from speakr.media.base import SAMPLE_RATE, DecodedAudio
from speakr.media.probe import tracks_of
from speakr.media.sandbox import SandboxLimits, run

logger = structlog.get_logger(__name__)

CHILD = Path(__file__).with_name("child_decode.py")

SAMPLE_BYTES = 2
_MAX_SAMPLED = 1 << 25
"""Samples of all channels together, by which many channels are compared: a minute of 32 channels takes 2 ** 25."""
_SLACK_BYTES = 1 << 20
"""The child counts samples before it writes them; the kernel's limit is only for a child that does not."""


def decode(source: Path, pcm: Path, max_seconds: float) -> DecodedAudio:
    """Write the first track of a recording to `pcm` as one channel, in which all of its channels count equally.

    Raises what `decode_track` raises.
    """
    return decode_track(source, pcm, max_seconds, max_channels=0)


def decode_track(
    source: Path,
    pcm: Path,
    max_seconds: float,
    *,
    track: int | None = None,
    max_channels: int,
    weights: Sequence[float] = (),
) -> DecodedAudio:
    """Write the sound of a track to `pcm`: headerless s16le at 16 kHz, in flat memory.

    track: its number among the audio tracks; None: the first one that can be decoded. The result has all channels,
    interleaved, up to `max_channels`; of a track with more, only a sample. With `weights`, or if `max_channels` is 0, it
    has one.

    `pcm` appears when it is whole, or not at all. Broken packets are passed over and counted.

    Raises:
        UnusableMedia: there is no sound in it, it is longer than `max_seconds`, or costs too much.
        MediaToolFailed: decoding failed for a reason that need not be the file's.
    """
    started = time.monotonic()
    samples = round(max_seconds * SAMPLE_RATE) * max(1, max_channels)
    allowance = SandboxLimits.for_reading_all(
        source.stat().st_size,
        max_seconds,
        file_bytes=max(samples, _MAX_SAMPLED) * SAMPLE_BYTES + _SLACK_BYTES,
    )
    with whole_or_not_at_all(pcm) as sink_fd:
        report = run(
            "decode",
            source,
            allowance,
            sink_fd=sink_fd,
            script=CHILD,
            max_seconds=max_seconds,
            track=track,
            max_channels=max_channels,
            max_sampled=_MAX_SAMPLED,
            weights=list(weights),
        )
        decoded = _decoded(report.result, os.fstat(sink_fd).st_size)
    logger.info(
        "media_decoded",
        track=decoded.track,
        channels=decoded.channels,
        seconds=round(decoded.duration_seconds, 3),
        bad_packets=decoded.bad_packet_count,
        took_seconds=round(time.monotonic() - started, 3),
        peak_rss_bytes=report.peak_rss_bytes,
        network_fenced=report.network_fenced,
    )
    return decoded


def _decoded(result: Mapping[str, Any], size_bytes: int) -> DecodedAudio:
    """Validate the child's report, which is untrusted like the file."""
    try:
        channels = int(result["channels"])
        samples = int(result["samples"])
        decoded = DecodedAudio(
            duration_seconds=samples / SAMPLE_RATE,
            bad_packet_count=int(result["bad"]),
            skipped_seconds=float(result["bad_seconds"]),
            is_cut_off=bool(result["is_cut_off"]),
            channels=channels,
            is_sample=bool(result["is_sample"]),
            track=int(result["track"]),
            tracks=tracks_of(result["tracks"]),
            track_count=int(result["track_count"]),
        )
    except (KeyError, TypeError, ValueError):
        raise MediaToolFailed("Decoding this file failed; it may work on another try.") from None
    if channels < 1 or samples < 1 or size_bytes != samples * channels * SAMPLE_BYTES:
        raise MediaToolFailed("Decoding this file failed; it may work on another try.")
    return decoded


@contextmanager
def whole_or_not_at_all(target: Path) -> Iterator[int]:
    """Yield an open file that gets `target`'s name if the block succeeds and is removed if not."""
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    sink_fd = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        try:
            yield sink_fd
        finally:
            os.close(sink_fd)
        partial.replace(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
