"""WebVTT subtitles (.vtt) with a voice tag per cue, see https://www.w3.org/TR/webvtt1/."""

from __future__ import annotations

from collections.abc import Iterator

from speakr.exports.base import Cue, Exporter, Source, clock, timeline


def write(source: Source) -> Iterator[str]:
    """Write the header and one cue per segment, spoken text inside `<v Name>`."""
    yield "WEBVTT\n"
    for cue in timeline(source.segments):
        yield f"\n{clock(cue.start_ms, '.')} --> {clock(cue.end_ms, '.')}\n{_payload(cue)}\n"


def _payload(cue: Cue) -> str:
    voice = f"<v {_escape(cue.speaker)}>" if cue.speaker else ""
    return voice + _escape(cue.text)


def _escape(text: str) -> str:
    """Escape markup; this also escapes `-->`, which a payload must not contain."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


VTT = Exporter(
    name="vtt",
    media_type="text/vtt",
    extension="vtt",
    description="WebVTT subtitles, with a voice tag per cue",
    write=write,
)
