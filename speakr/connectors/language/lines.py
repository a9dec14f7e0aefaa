"""Text forms of a transcript's lines."""

from __future__ import annotations

from speakr.domain.statements import NumberedLine


def clock_time(seconds: float) -> str:
    """Write a time as mm:ss, from one hour on as h:mm:ss."""
    hours, minutes, rest = _clock(seconds)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes:02d}:{rest:02d}"


def full_clock_time(seconds: float) -> str:
    """Write a time as hh:mm:ss, for sentences in which mm:ss could be read as an hour of the day."""
    hours, minutes, rest = _clock(seconds)
    return f"{hours:02d}:{minutes:02d}:{rest:02d}"


def _clock(seconds: float) -> tuple[int, int, int]:
    minutes, rest = divmod(int(max(seconds, 0.0)), 60)
    return minutes // 60, minutes % 60, rest


def who(line: NumberedLine) -> str:
    """Write who speaks, and in which recording if there are several."""
    speaker = one_line(line.speaker)
    return f"{speaker} in {one_line(line.origin)}" if line.origin else speaker


def one_line(text: str) -> str:
    """Return the text with every run of white space made one blank."""
    return " ".join(text.split())


def write_line(line: NumberedLine) -> str:
    """Write `[mm:ss] speaker: text` on one line."""
    return f"[{clock_time(line.start)}] {one_line(line.speaker)}: {one_line(line.text)}"
