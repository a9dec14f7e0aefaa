"""SubRip subtitles (.srt): numbered cues with plain text and without speakers."""

from __future__ import annotations

from collections.abc import Iterator

from speakr.exports.base import Exporter, Source, clock, timeline

_BLANK = "\n"


def write(source: Source) -> Iterator[str]:
    """Write one numbered cue per segment, times as `HH:MM:SS,mmm`."""
    for number, cue in enumerate(timeline(source.segments), start=1):
        times = f"{clock(cue.start_ms, ',')} --> {clock(cue.end_ms, ',')}"
        yield f"{'' if number == 1 else _BLANK}{number}\n{times}\n{_without_arrow(cue.text)}\n"


def _without_arrow(text: str) -> str:
    """Replace the one sequence that readers take for a timing line; SubRip has no escape for it."""
    return text.replace("-->", "→")


SRT = Exporter(
    name="srt",
    media_type="application/x-subrip",
    extension="srt",
    description="SubRip subtitles, without speakers",
    write=write,
)
