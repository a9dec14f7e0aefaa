"""Reading what recordings are made of: the audio and the texts of the originals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from speakr.db import db
from speakr.domain.derivation import Derivation, SourcePart
from speakr.domain.errors import Forbidden, NotFound, PermanentJobError
from speakr.domain.permissions import DEFAULT_SCOPES, Actor, Permission
from speakr.domain.transcript_history import RevisionKind, StoredSegment, unpacked_segments
from speakr.domain.transcript_parts import part_of, seconds_by_speaker
from speakr.models import Job, RecognizedTranscript, Recording, TranscriptRevision, User
from speakr.services import row_locks
from speakr.services.corrections import revisions
from speakr.services.jobs import claims
from speakr.services.recordings import access


@dataclass(frozen=True, slots=True)
class PartText:
    """The text of one part; times count from its start. `raw` is None if it was never corrected."""

    segments: Sequence[StoredSegment]
    raw: Sequence[StoredSegment] | None
    shares: Mapping[str, float]
    """How much of what each label says in the whole recording is in this part, 0 to 1."""


@dataclass(frozen=True, slots=True)
class OriginalAudio:
    """The audio of an original: its storage key, and the numbers of the tracks that were transcribed."""

    key: str
    tracks: Sequence[int]


def audio(held: claims.Claim, derivation: Derivation) -> list[OriginalAudio]:
    """Return the audio of the originals.

    Raises:
        PermanentJobError: `source_deleted` or `audio_deleted`.

    """
    keys = []
    for recording in sources_of(held, derivation):
        if recording.storage_key is None:
            raise PermanentJobError(
                f"The audio of recording {recording.id} has been deleted.", code="audio_deleted"
            )
        used = tuple(track["index"] for track in recording.tracks or () if track["is_used"])
        keys.append(OriginalAudio(recording.storage_key, used))
    return keys


def sources_of(held: claims.Claim, derivation: Derivation) -> list[Recording]:
    """Load the originals, in the order of the parts, as far as the job's user may still edit them."""
    user = db.session.get_one(User, held.user_id)
    actor = Actor(user.id, user.username, user.is_admin, DEFAULT_SCOPES)
    found = []
    for recording_id in derivation.source_ids:
        try:
            found.append(access.get(actor, recording_id, Permission.EDIT))
        except (NotFound, Forbidden):
            raise PermanentJobError(
                f"Recording {recording_id} has been deleted.", code="source_deleted"
            ) from None
    return found


def read(held: claims.Claim, derivation: Derivation) -> list[PartText]:
    """Read the texts of all parts as they were when they were asked for; in a unit of work."""
    hold(derivation.source_ids)
    return [
        _read(part, recording)
        for part, recording in zip(derivation.parts, sources_of(held, derivation), strict=True)
    ]


def _read(part: SourcePart, recording: Recording) -> PartText:
    present = revisions.segments_of(recording.id)
    try:
        text = revisions.segments_at(recording.id, recording.transcript_revision, present, part.revision)
    except NotFound:
        message = f"The transcript of recording {recording.id} has changed too often meanwhile."
        raise PermanentJobError(message, code="source_changed") from None
    segments = part_of(text, part.start, part.end, part.duration)
    raw = _raw(part)
    said, here = seconds_by_speaker(text), seconds_by_speaker(segments)
    return PartText(
        segments,
        None if raw is None else part_of(raw, part.start, part.end, part.duration),
        {label: here[label] / said[label] for label in here if said.get(label)},
    )


def _raw(part: SourcePart) -> list[StoredSegment] | None:
    """Return the text as it was recognised, unless it was never corrected or belongs to a later transcription."""
    is_another = select(TranscriptRevision.id).where(
        TranscriptRevision.recording_id == part.recording_id,
        TranscriptRevision.number > part.revision,
        TranscriptRevision.kind == RevisionKind.TRANSCRIBED,
    )
    kept = db.session.get(RecognizedTranscript, part.recording_id)
    if kept is None or db.session.scalar(is_another.limit(1)) is not None:
        return None
    return unpacked_segments(kept.content)


def hold(recording_ids: Sequence[int], *, for_deletion: bool = False) -> None:
    """Lock recordings until the unit of work ends, always in the same order."""
    row_locks.hold(Recording, Recording.id.in_(recording_ids), for_deletion=for_deletion)


def hold_jobs(recording_ids: Sequence[int]) -> None:
    """Lock all jobs on recordings, which are deleted with them; before the recordings themselves."""
    row_locks.hold(Job, Job.recording_id.in_(recording_ids), for_deletion=True)
