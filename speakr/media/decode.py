"""Decode any recording to 16 kHz mono PCM."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from speakr.domain.errors import MediaToolFailed
from speakr.media.base import SAMPLE_RATE, DecodedAudio
from speakr.media.sandbox import SandboxLimits, run

logger = structlog.get_logger(__name__)

SAMPLE_BYTES = 2
_SLACK_BYTES = 1 << 20
"""The child counts samples before it writes them; the kernel's limit is only for a child that does not."""


def decode(source: Path, pcm: Path, max_seconds: float) -> DecodedAudio:
    """Write the sound of a recording to `pcm`: headerless s16le mono at 16 kHz, in flat memory.

    `pcm` appears when it is whole, or not at all. Broken packets are passed over and counted.

    Raises:
        UnusableMedia: there is no sound in it, it is longer than `max_seconds`, or costs too much.
        MediaToolFailed: decoding failed for a reason that need not be the file's.
    """
    started = time.monotonic()
    allowance = SandboxLimits.for_reading_all(
        source.stat().st_size,
        max_seconds,
        file_bytes=round(max_seconds * SAMPLE_RATE) * SAMPLE_BYTES + _SLACK_BYTES,
    )
    with whole_or_not_at_all(pcm) as sink_fd:
        report = run("decode", source, allowance, sink_fd=sink_fd, max_seconds=max_seconds)
        samples, odd = divmod(os.fstat(sink_fd).st_size, SAMPLE_BYTES)
        if odd or samples == 0 or samples != report.result.get("samples"):
            raise MediaToolFailed("Decoding this file failed; it may work on another try.")
    decoded = DecodedAudio(
        duration_seconds=samples / SAMPLE_RATE, bad_packet_count=int(report.result.get("bad", 0))
    )
    logger.info(
        "media_decoded",
        seconds=round(decoded.duration_seconds, 3),
        bad_packets=decoded.bad_packet_count,
        took_seconds=round(time.monotonic() - started, 3),
        peak_rss_bytes=report.peak_rss_bytes,
        network_fenced=report.network_fenced,
    )
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
