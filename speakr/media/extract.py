"""Extract the sound of a video, without re-encoding, into an audio container."""

from __future__ import annotations

import math
from pathlib import Path

from speakr.media.base import MediaInfo, MediaLimits
from speakr.media.containers import LATE_CODECS, MUXERS, OTHER_MUXER
from speakr.media.decode import whole_or_not_at_all
from speakr.media.probe import probe
from speakr.media.sandbox import SandboxLimits, run

CHILD = Path(__file__).with_name("child_remux.py")

_MAX_SECONDS = 24 * 3600.0
"""For the clock only; what is too long was said when the file was probed."""
_SLACK_BYTES = 1 << 20


def extract_audio(source: Path, target: Path) -> MediaInfo:
    """Copy all audio tracks of `source` to `target` without re-encoding; return the facts about `target`.

    The container follows from the codec: AAC goes to M4A, Opus and Vorbis to Ogg, and so on. Several tracks share one,
    and sound that begins later than its picture goes where that can be said. A player's clock shows the same time for
    the same sound as with `source`.

    Raises:
        NotCopied: some of it cannot be decoded, or no container takes all of it.
        UnusableMedia: there is no sound in it.
        MediaToolFailed: it failed for a reason that need not be the file's.
    """
    size_bytes = source.stat().st_size
    # Bare sound is never larger than the film it was in, but for tables of a container that wants more.
    allowance = SandboxLimits.for_reading_all(
        size_bytes, _MAX_SECONDS, file_bytes=2 * size_bytes + _SLACK_BYTES
    )
    with whole_or_not_at_all(target) as sink_fd:
        run(
            "remux",
            source,
            allowance,
            sink_fd=sink_fd,
            script=CHILD,
            muxers=dict(MUXERS),
            other_muxer=OTHER_MUXER,
            late_codecs=dict(LATE_CODECS),
        )
    try:
        return probe(target, MediaLimits(max_seconds=math.inf))
    except BaseException:
        target.unlink(missing_ok=True)
        raise
