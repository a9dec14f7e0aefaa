"""Merging recordings into a new one."""

from __future__ import annotations

from collections.abc import Sequence

from speakr.domain.derivation import MAX_MERGED, MIN_MERGED, Derivation
from speakr.domain.errors import Invalid
from speakr.domain.jobs import JobKind
from speakr.domain.permissions import Actor
from speakr.models import Recording
from speakr.services.recordings import deriving


def merge(
    actor: Actor,
    recording_ids: Sequence[int],
    *,
    title: str | None,
    keep_originals: bool,
    gap_seconds: float,
) -> Recording:
    """Make one recording of several, in the order given. A worker joins the audio and the transcripts.

    The transcripts are joined as they are now, whatever is corrected before the worker gets to it.
    """
    _check_ids(recording_ids)
    sources = deriving.load_sources(actor, recording_ids, keep_originals=keep_originals)
    deriving.check_length(recording_ids)
    first = sources[0]
    derivation = Derivation(
        parts=tuple(deriving.whole(recording) for recording in sources),
        gap_seconds=round(gap_seconds, 3),
        has_audio=first.storage_key is not None,
        keep_originals=keep_originals,
    )
    deriving.admit(actor, sources, [derivation])
    wanted = deriving.NewRecording(
        title=(title or "").strip() or first.title, meeting_date=first.meeting_date, suffix="merged"
    )
    recording = deriving.create(actor, sources, derivation, wanted)
    deriving.submit(recording, JobKind.MERGE, derivation)
    return recording


def _check_ids(recording_ids: Sequence[int]) -> None:
    message = None
    if not MIN_MERGED <= len(recording_ids) <= MAX_MERGED:
        message = f"must name {MIN_MERGED} to {MAX_MERGED} recordings"
    elif len(set(recording_ids)) != len(recording_ids):
        message = "must name each recording once"
    if message is not None:
        raise Invalid(f"recording_ids {message}", errors={"recording_ids": [message]})
