"""Recordings that are made of others: audio and transcript are stored, and what hangs on them follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import insert, select

from speakr.db import db
from speakr.domain.derivation import Derivation
from speakr.domain.errors import Forbidden, PermanentJobError
from speakr.domain.events import TranscriptionCompleted
from speakr.domain.jobs import JobKind, JobState
from speakr.domain.speaker_matching import (
    LabelledPart,
    MatchedLabels,
    NamedSpeaker,
    labels_in_order,
    match_labels,
)
from speakr.domain.speakers import listed
from speakr.domain.transcript import mean_confidence
from speakr.domain.transcript_history import StoredSegment, packed_segments
from speakr.domain.transcript_parts import joined
from speakr.models import (
    Job,
    RecognizedTranscript,
    Recording,
    RecordingSpeaker,
    Segment,
    User,
)
from speakr.services.accounts import budgets, users
from speakr.services.corrections import segment_rows
from speakr.services.jobs import claims
from speakr.services.recordings import removal
from speakr.services.speech import originals, speakers, transcripts, voice_profiles
from speakr.services.speech.originals import PartText
from speakr.services.webhooks import events


@dataclass(frozen=True, slots=True)
class NewAudio:
    """A blob of the job that becomes the audio of its recording. `sha256` in hexadecimal."""

    key: str
    size_bytes: int
    sha256: str


def store(
    held: claims.Claim, derivation: Derivation, texts: Sequence[PartText], audio: NewAudio | None
) -> None:
    """Store audio and transcript, end the job, queue what follows and delete the originals if that is wanted.

    All of that is one transaction. Raises `ClaimLost` when another worker owns the job.
    """
    if not derivation.keep_originals:
        originals.hold_jobs([held.recording_id, *derivation.source_ids])
    if audio is not None:
        claims.hand_over_blob(held, audio.key)
    claims.succeed(held)
    speakers.hold_owner(held.user_id)
    originals.hold([held.recording_id, *derivation.source_ids], for_deletion=not derivation.keep_originals)
    recording = db.session.get_one(Recording, held.recording_id, populate_existing=True)
    sources = originals.sources_of(held, derivation)
    gone = _to_delete(derivation, recording, sources)
    if audio is not None:
        _keep_audio(recording, audio, gone)
    matched = _match(recording, sources, texts)
    _write(recording, derivation, texts, matched)
    recording.has_transcription = any(text.segments for text in texts)
    recording.transcription_engine = _engines(sources)
    recording.transcribed_with = recording.quality = None  # they are of the originals
    _keep_voices(recording, sources, texts, matched)
    events.record(
        recording.user_id,
        TranscriptionCompleted(
            recording_id=recording.id,
            title=recording.title,
            language=recording.language,
            audio_duration_seconds=recording.audio_duration,
        ),
        recording_id=recording.id,
    )
    transcripts.follow_up(recording, has_segments=any(text.segments for text in texts))
    if gone:
        removal.remove(gone)


def _engines(sources: Sequence[Recording]) -> str | None:
    engines = dict.fromkeys(source.transcription_engine for source in sources)
    return ", ".join(engine for engine in engines if engine)[:120] or None


def _to_delete(derivation: Derivation, recording: Recording, sources: Sequence[Recording]) -> list[Recording]:
    """Return the originals that go now: with the last of the recordings that are made of them.

    One whose transcript has changed since the request stays, for the change is nowhere else.
    """
    if derivation.keep_originals or not _are_complete(derivation.siblings, besides=recording.id):
        return []
    return [
        source
        for source, part in zip(sources, derivation.parts, strict=True)
        if source.transcript_revision == part.revision
    ]


def _are_complete(recording_ids: Sequence[int], *, besides: int) -> bool:
    return all(
        db.session.scalar(
            select(Job.state)
            .where(Job.recording_id == sibling, Job.kind == JobKind.CUT)
            .order_by(Job.id.desc())
            .limit(1)
        )
        is JobState.SUCCEEDED
        for sibling in recording_ids
        if sibling != besides
    )


def _keep_audio(recording: Recording, audio: NewAudio, gone: Sequence[Recording]) -> None:
    freed = sum(source.file_size for source in gone if source.storage_key is not None)
    try:
        budgets.admit_bytes(recording.user_id, audio.size_bytes - freed)
    except Forbidden as error:
        raise PermanentJobError(error.message, code=error.slug) from None
    recording.storage_key, recording.file_size, recording.sha256 = audio.key, audio.size_bytes, audio.sha256


def _match(recording: Recording, sources: Sequence[Recording], texts: Sequence[PartText]) -> MatchedLabels:
    """Find out which labels of the originals are the same person."""
    preferences = users.preferences(db.session.get_one(User, recording.user_id))
    recognises = preferences["learn_voices"] and preferences["auto_speaker_labelling"]
    parts = []
    for source, text in zip(sources, texts, strict=True):
        is_own = source.user_id == recording.user_id
        labels = labels_in_order(each.speaker for each in (*text.segments, *(text.raw or ())))
        names = _names(source.id, with_ids=is_own)
        if recognises and is_own:
            nameless = [label for label in labels if label not in names]
            least = preferences["auto_speaker_labelling_threshold"]
            known = {each.name for each in names.values()}  # a person is not two voices of one recording
            names |= {
                label: NamedSpeaker(who.name, who.speaker_id, confirmed=False)
                for label, who in voice_profiles.recognised(source, nameless, least).items()
                if who.name not in known
            }
        parts.append(LabelledPart(labels, names))
    return match_labels(parts)


def _names(recording_id: int, *, with_ids: bool) -> dict[str, NamedSpeaker]:
    """Return the names of labels. Another user's speakers are not the new owner's, so only their names are kept."""
    rows = db.session.scalars(select(RecordingSpeaker).where(RecordingSpeaker.recording_id == recording_id))
    return {
        row.label: NamedSpeaker(row.name, row.speaker_id if with_ids else None, row.confirmed) for row in rows
    }


def _write(
    recording: Recording, derivation: Derivation, texts: Sequence[PartText], matched: MatchedLabels
) -> None:
    """Write segments, names and the text as it was recognised."""
    offsets = [offset for _, offset in derivation.with_offsets()]
    segments = joined(
        (text.segments, offset, labels)
        for text, offset, labels in zip(texts, offsets, matched.labels, strict=True)
    )
    recording.confidence = mean_confidence(each.confidence for each in segments)
    segment_rows.write(recording.id, segment_rows.planned([], [replace(each, id=None) for each in segments]))
    if any(text.raw is not None for text in texts):
        ids = _new_ids(recording.id, segments)
        raw = joined(
            (text.segments if text.raw is None else text.raw, offset, labels)
            for text, offset, labels in zip(texts, offsets, matched.labels, strict=True)
        )
        content = packed_segments([replace(each, id=ids.get(each.id, each.id)) for each in raw])
        db.session.add(RecognizedTranscript(recording_id=recording.id, content=content))
    if matched.names:
        db.session.execute(
            insert(RecordingSpeaker),
            [
                {
                    "recording_id": recording.id,
                    "label": label,
                    "name": known.name,
                    "speaker_id": known.speaker_id,
                    "confirmed": known.confirmed,
                }
                for label, known in matched.names.items()
            ],
        )
        names = {name.strip() for name in (recording.participants or "").split(",")}
        recording.participants = listed({*names, *(known.name for known in matched.names.values())} - {""})


def _new_ids(recording_id: int, segments: Sequence[StoredSegment]) -> dict[int | None, int]:
    """Return the id that each original's segment has in the new recording."""
    rows = db.session.scalars(
        select(Segment.id).where(Segment.recording_id == recording_id).order_by(Segment.position)
    )
    return {each.id: new for each, new in zip(segments, rows, strict=True)}


def _keep_voices(
    recording: Recording, sources: Sequence[Recording], texts: Sequence[PartText], matched: MatchedLabels
) -> None:
    """Keep how the speakers sound, as far as that was known; other users' voices are not the new owner's."""
    preferences = users.preferences(db.session.get_one(User, recording.user_id))
    if not preferences["learn_voices"]:
        return
    voices = [
        replace(voice, label=labels[voice.label], seconds=voice.seconds * text.shares[voice.label])
        for source, text, labels in zip(sources, texts, matched.labels, strict=True)
        if source.user_id == recording.user_id
        for voice in voice_profiles.voices_of(source.id)
        if voice.label in labels and text.shares.get(voice.label)
    ]
    voice_profiles.keep(recording.id, voice_profiles.blended(voices))
