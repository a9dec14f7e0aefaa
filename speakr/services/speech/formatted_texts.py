"""The segments of a recording with their text in paragraphs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from speakr.domain.recordings import WITHOUT_TEXT
from speakr.models import Recording
from speakr.services import long_reads
from speakr.services.speech import paragraphs, transcripts


class FormattedText(NamedTuple):
    """Segments, and the text they make."""

    segments: Sequence[Any]
    text: str


def formatted(recording: Recording) -> FormattedText:
    """Return the text of a recording; none while it is being transcribed. Checks no permission."""
    with long_reads.whole_transcript(recording.id):
        found = [] if recording.status in WITHOUT_TEXT else transcripts.rows_of(recording.id)
        return FormattedText(found, paragraphs.format_segments(found, recording_id=recording.id))
