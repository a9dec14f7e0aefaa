"""SubRip subtitles (.srt): numbered cues with bare text and no word on who speaks."""

from __future__ import annotations

from collections.abc import Sequence

from speakr.domain.transcript import Segment
from speakr.exports.base import Exporter, clock, timeline


def render(segments: Sequence[Segment]) -> str:
    """Write one numbered cue per segment, times as `HH:MM:SS,mmm`."""
    return "\n".join(
        f"{number}\n{clock(cue.start_ms, ',')} --> {clock(cue.end_ms, ',')}\n{_without_arrow(cue.text)}\n"
        for number, cue in enumerate(timeline(segments), start=1)
    )


def _without_arrow(text: str) -> str:
    """Replace the one sequence that readers take for a timing line; SubRip has no way to escape it."""
    return text.replace("-->", "→")


SRT = Exporter(name="srt", media_type="application/x-subrip", extension="srt", render=render)
