"""Join or cut stored audio: parts of one or more files become one new file."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from speakr.domain.errors import MediaToolFailed
from speakr.media.base import MediaLimits
from speakr.media.decode import whole_or_not_at_all
from speakr.media.probe import probe
from speakr.media.sandbox import SandboxLimits, run

logger = structlog.get_logger(__name__)

CHILD = Path(__file__).with_name("child_join.py")

_CPU_SECONDS, _CPU_SECONDS_PER_HOUR = 60.0, 240.0
"""Decoding takes 4 s an hour of one present-day core, encoding up to 40 s; old machines need more."""
_MAX_BYTES_PER_SECOND = 96_000 * 2 * 4
"""The largest FLAC stream that the child makes, as if it were not compressed."""
_SLACK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioForm:
    """A codec in its container. `bit_rate` is per channel and second; 0 for lossless codecs."""

    codec: str
    muxer: str
    mime_type: str
    extension: str
    bit_rate: int = 0


FLAC = AudioForm(codec="flac", muxer="flac", mime_type="audio/flac", extension="flac")
OPUS = AudioForm(codec="libopus", muxer="ogg", mime_type="audio/ogg", extension="opus", bit_rate=64_000)
"""At 64 kbit/s per channel listeners do not tell Opus from its source; an hour takes 29 MB."""

_LOSSLESS = frozenset(
    {
        "audio/aiff", "audio/basic", "audio/flac", "audio/wav", "audio/x-ape", "audio/x-caf", "audio/x-tta",
        "audio/x-w64", "audio/x-wavpack",
    }
)  # fmt: skip


def form_for(mime_types: Sequence[str]) -> AudioForm:
    """Return the form that a file made of such files gets: lossless if all of them are, else compact."""
    return FLAC if _LOSSLESS.issuperset(mime_types) else OPUS


@dataclass(frozen=True, slots=True)
class AudioPart:
    """The sound of a file from `start` to `end`, in seconds of its decoded sound."""

    path: Path
    start: float
    end: float
    tracks: Sequence[int] = ()
    """The audio tracks that count, by their numbers; none: the first one."""


def join(parts: Sequence[AudioPart], target: Path, form: AudioForm, *, gap_seconds: float = 0.0) -> float:
    """Write the parts one after the other to `target`, with silence in between; return the length in seconds.

    Cuts are exact to the sample. Each part is as long as it says, so that words keep their times: what its file lacks
    is silent. `target` appears when it is whole, or not at all.

    Raises:
        UnusableMedia: a file has no sound that can be decoded, or costs too much.
        MediaToolFailed: it failed for a reason that need not be the files'.
    """
    seconds = sum(part.end - part.start for part in parts) + gap_seconds * (len(parts) - 1)
    hours_read = sum(part.end for part in parts) / 3600
    cpu_seconds = _CPU_SECONDS + _CPU_SECONDS_PER_HOUR * hours_read
    allowance = SandboxLimits(
        cpu_seconds=cpu_seconds,
        wall_seconds=4 * cpu_seconds,
        file_bytes=math.ceil(seconds * _MAX_BYTES_PER_SECOND) + _SLACK_BYTES,
    )
    paths = [part.path for part in parts]
    with whole_or_not_at_all(target) as sink_fd:
        report = run(
            "join",
            paths[0],
            allowance,
            sink_fd=sink_fd,
            script=CHILD,
            others=paths[1:],
            parts=[{"start": part.start, "end": part.end, "tracks": list(part.tracks)} for part in parts],
            gap_seconds=gap_seconds,
            codec=form.codec,
            muxer=form.muxer,
            bit_rate=form.bit_rate,
        )
        length = _length(report.result.get("samples"), report.result.get("rate"))
        if os.fstat(sink_fd).st_size == 0 or abs(length - seconds) > 0.001:  # noqa: PLR2004 - a millisecond
            raise MediaToolFailed("Joining the audio failed; it may work on another try.")
        logger.info(
            "audio_joined", parts=len(parts), seconds=round(length, 3), peak_rss_bytes=report.peak_rss_bytes
        )
    _check(target)
    return length


def _length(samples: object, rate: object) -> float:
    """Return seconds; the child's report is untrusted like the files."""
    if not isinstance(samples, int) or not isinstance(rate, int) or samples <= 0 or rate <= 0:
        raise MediaToolFailed("Joining the audio failed; it may work on another try.")
    return samples / rate


def _check(target: Path) -> None:
    """Examine the new file as if a stranger had sent it: the process that wrote it had read strangers' files."""
    try:
        probe(target, MediaLimits(max_seconds=math.inf))
    except BaseException:
        target.unlink(missing_ok=True)
        raise
