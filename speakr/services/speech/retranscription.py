"""A second transcription of one segment: a clip of the recording is transcribed again, and may replace the text."""

from __future__ import annotations

from dataclasses import dataclass

from speakr.db import release
from speakr.domain.clips import ClipOptions, ClipResult
from speakr.domain.permissions import Actor, Permission
from speakr.domain.transcript_edits import get
from speakr.domain.transcript_history import StoredSegment
from speakr.services.corrections import corrections, editing
from speakr.services.speech import clips


@dataclass(frozen=True, slots=True, kw_only=True)
class Retranscription:
    """A queued clip, and the segment as it was when the clip was queued."""

    job_id: int
    recording_id: int
    index: int
    segment: StoredSegment
    revision: int


def begin(
    actor: Actor, recording_id: int, index: int, options: ClipOptions, *, is_applied: bool
) -> Retranscription:
    """Queue the transcription of a segment, counted from 0.

    Raises:
        NotFound: the actor may not see the recording, or there is no such segment.
        Forbidden: the result is to be applied, and the actor may not correct the transcript.
        Invalid, Busy: see `clips.submit_range`.

    """
    permission = Permission.EDIT if is_applied else Permission.VIEW
    state = editing.load(actor, recording_id, permission)
    segment = get(state.segments, index)
    release()
    job_id = clips.submit_range(actor, recording_id, segment.start, segment.end, options)
    return Retranscription(
        job_id=job_id, recording_id=recording_id, index=index, segment=segment, revision=state.revision
    )


def apply(actor: Actor, begun: Retranscription, result: ClipResult) -> editing.Edited | None:
    """Replace the text of the segment; its speaker stays, and the history keeps the old text.

    Returns None without a change if nothing was recognised: an empty text would delete the segment.

    Raises:
        NotModifiedSince: the transcript has changed since `begin`.

    """
    if not result.text.strip():
        return None
    return corrections.change_segment(
        actor, begun.recording_id, begun.index, {"text": result.text.strip()}, revision=begun.revision
    )


def confidence_of(result: ClipResult) -> float | None:
    """Return the mean confidence of the segments by their length, 0 to 1; None if the engine gives none."""
    rated = [
        (each.end - each.start, each.confidence) for each in result.segments if each.confidence is not None
    ]
    seconds = sum(length for length, _ in rated)
    return round(sum(length * sure for length, sure in rated) / seconds, 4) if seconds > 0 else None
