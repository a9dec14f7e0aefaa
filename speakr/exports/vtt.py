"""WebVTT subtitles (.vtt) with a voice tag per cue, see https://www.w3.org/TR/webvtt1/."""

from __future__ import annotations

from collections.abc import Sequence

from speakr.domain.transcript import Segment
from speakr.exports.base import Cue, Exporter, clock, timeline


def render(segments: Sequence[Segment]) -> str:
    """Write the header and one cue per segment, spoken text inside `<v Name>`."""
    blocks = ["WEBVTT\n"]
    blocks += [
        f"{clock(cue.start_ms, '.')} --> {clock(cue.end_ms, '.')}\n{_payload(cue)}\n"
        for cue in timeline(segments)
    ]
    return "\n".join(blocks)


def _payload(cue: Cue) -> str:
    voice = f"<v {_escape(cue.speaker)}>" if cue.speaker else ""
    return voice + _escape(cue.text)


def _escape(text: str) -> str:
    """Escape markup; that also takes apart `-->`, which a payload must not hold."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


VTT = Exporter(name="vtt", media_type="text/vtt", extension="vtt", render=render)
