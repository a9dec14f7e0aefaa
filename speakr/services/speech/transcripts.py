"""Store and read transcripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, bindparam, delete, func, insert, select

from speakr.db import db
from speakr.domain.events import TranscriptionCompleted
from speakr.domain.jobs import JobKind
from speakr.domain.recordings import FIRST_WORDS, Warned, is_placeholder, title_of_first_words
from speakr.domain.transcript import Segment as SpokenSegment
from speakr.domain.transcript import Span, Word, mean_confidence
from speakr.models import Recording, RecordingSpeaker, Segment, User
from speakr.services import long_reads
from speakr.services.accounts import usage, users
from speakr.services.corrections import revisions
from speakr.services.jobs import claims, pipeline, queueing, requests
from speakr.services.search import indexing, passages
from speakr.services.speech import confirmed_names, hints, recording_speakers, speakers, voice_profiles
from speakr.services.system import system_settings
from speakr.services.webhooks import events

_S = Segment.__table__.c
_NAMED = RecordingSpeaker.__table__.c
_LABELLED = (
    select(_S.start, _S.end, _S.text, _S.speaker, _S.confidence)
    .where(_S.recording_id == bindparam("recording_id"))
    .order_by(_S.position)
)
_SHOWN = (
    select(
        _S.start,
        _S.end,
        _S.text,
        func.coalesce(_NAMED.name, _S.speaker).label("speaker"),
        _S.confidence,
        _S.id,
        _S.overlap,
    )
    .select_from(
        Segment.__table__.outerjoin(
            RecordingSpeaker.__table__,
            and_(_NAMED.recording_id == _S.recording_id, _NAMED.label == _S.speaker),
        )
    )
    .where(_S.recording_id == bindparam("recording_id"))
    .order_by(_S.position)
)


def rows_of(recording_id: int) -> Sequence[Any]:
    """Return a recording's segments as rows with the attributes of a `Segment` and `id`, without words.

    Speakers have their name where one is known, otherwise their label. Checks no permission.
    """
    return long_reads.all_rows(_SHOWN, {"recording_id": recording_id})


def segments_of(recording_id: int) -> list[SpokenSegment]:
    """Return a recording's segments without their words, with speaker names. The caller has checked the permission."""
    return long_reads.all_rows(
        _SHOWN,
        {"recording_id": recording_id},
        make=_spoken,
    )


def _spoken(row: Any) -> SpokenSegment:
    return SpokenSegment(row.start, row.end, row.text, row.speaker, row.confidence, overlap=row.overlap)


def labelled_segments_of(recording_id: int) -> list[SpokenSegment]:
    """Return a recording's segments with labels (`SPEAKER_00`) instead of speaker names."""
    values = {"recording_id": recording_id}
    return long_reads.all_rows(_LABELLED, values, make=lambda row: SpokenSegment(*row))


def to_json(segment: SpokenSegment) -> dict[str, Any]:
    """Return a segment in the form of chunk results and live events."""
    return {
        "start": round(segment.start, 3),
        "end": round(segment.end, 3),
        "text": segment.text,
        "speaker": segment.speaker,
        "confidence": segment.confidence,
        "words": [
            [word.text, round(word.start, 3), round(word.end, 3), word.probability] for word in segment.words
        ],
        "overlap": segment.overlap,
    }


def from_json(kept: Mapping[str, Any]) -> SpokenSegment:
    """Return the segment that `to_json` converted."""
    return SpokenSegment(
        kept["start"],
        kept["end"],
        kept["text"],
        kept["speaker"],
        kept["confidence"],
        tuple(Word(*word) for word in kept["words"]),
        kept["overlap"],
    )


@dataclass(frozen=True, slots=True)
class AboutFile:
    """What was found out about a recording's file: its tracks and warnings in the form of the API."""

    tracks: Sequence[Mapping[str, Any]] = ()
    warnings: Sequence[str] = ()
    skipped_seconds: float = 0.0


def store(
    held: claims.Claim,
    segments: Sequence[Mapping[str, Any]],
    *,
    language: str | None,
    engine: str,
    duration_seconds: float,
    voices: Sequence[voice_profiles.ProfileVoice] = (),
    about_file: AboutFile | None = None,
    ignored_options: Sequence[str] = (),
    quality: Mapping[str, Any] | None = None,
) -> None:
    """Replace a recording's transcript, end the job and queue what follows, in one transaction.

    Segments have the form of `to_json`. Raises `ClaimLost` when another worker owns the job.
    """
    job = claims.succeed(held)
    if voices:
        # Lock the owner after the job, in the order of deleting a user, and before the recording, in the order of
        # changing speakers.
        speakers.hold_owner(held.user_id)
    # Lock the recording before the names below, in the order of renaming a speaker; otherwise both could deadlock.
    recording = db.session.get_one(Recording, held.recording_id, with_for_update={"key_share": True})
    # Each transcription assigns new labels, so earlier names of labels do not apply now. Voices still match.
    earlier = confirmed_names.confirmed_in(recording.id) if voices else ()
    revisions.add_transcription(recording, len(segments))
    db.session.execute(delete(Segment).where(Segment.recording_id == recording.id))
    passages.put_out_of_date(recording.id)
    db.session.execute(delete(RecordingSpeaker).where(RecordingSpeaker.recording_id == recording.id))
    if segments:
        db.session.execute(
            insert(Segment),
            [
                {"recording_id": recording.id, "position": position, **segment}
                for position, segment in enumerate(segments)
            ],
        )
    recording.has_transcription = bool(segments)
    recording.language, recording.transcription_engine = language, engine
    recording.confidence = mean_confidence([kept["confidence"] for kept in segments])
    if recording.hints.get("title") == FIRST_WORDS and is_placeholder(recording.title):
        title = title_of_first_words(kept["text"] for kept in segments)
        recording.title = title or recording.title
    recording.transcribed_with = {
        **hints.to_json(hints.from_json(held.options)),
        "ignored": list(ignored_options),
    }
    recording.quality = None if quality is None else dict(quality)
    recording.audio_duration = duration_seconds
    if about_file is not None:
        _describe_file(recording, about_file)
    started, finished = job.started_at or job.created_at, job.finished_at or job.created_at
    recording.transcription_duration_seconds = round((finished - started).total_seconds(), 3)
    recording.processing_time_seconds = recording.transcription_duration_seconds
    usage.add(recording.user_id, transcribed_seconds=duration_seconds)
    events.record(
        recording.user_id,
        TranscriptionCompleted(
            recording_id=recording.id,
            title=recording.title,
            language=language,
            audio_duration_seconds=round(duration_seconds, 3),
            transcription_duration_seconds=recording.transcription_duration_seconds,
        ),
        recording_id=recording.id,
    )
    preferences = users.preferences(db.session.get_one(User, recording.user_id))
    voice_profiles.keep(recording.id, voices if preferences["learn_voices"] else ())
    if voices and preferences["learn_voices"] and preferences["auto_speaker_labelling"]:
        least = preferences["auto_speaker_labelling_threshold"]
        recording_speakers.recognise(recording, least, earlier, _spoken_by_label(segments))
    follow_up(recording, has_segments=bool(segments))


def _spoken_by_label(segments: Sequence[Mapping[str, Any]]) -> dict[str, list[Span]]:
    spoken: dict[str, list[Span]] = {}
    for segment in segments:
        spoken.setdefault(segment["speaker"], []).append(Span(segment["start"], segment["end"]))
    return spoken


def _describe_file(recording: Recording, found: AboutFile) -> None:
    """Replace what is known of the file; what the upload has warned of stays."""
    of_upload = [code for code in recording.warnings or () if code == Warned.VIDEO_KEPT]
    recording.tracks = [dict(track) for track in found.tracks]
    recording.warnings = [*of_upload, *found.warnings]
    recording.skipped_seconds = found.skipped_seconds


def follow_up(recording: Recording, *, has_segments: bool) -> None:
    """Queue what follows a new transcript, set the status and index the text; in the transaction that stores it."""
    preferences = users.preferences(db.session.get_one(User, recording.user_id))
    if (
        has_segments
        and preferences["auto_summarization"]
        and system_settings.get("enable_auto_summarization")
    ):
        requests.submit(recording, JobKind.SUMMARIZE)
    else:
        pipeline.extract_if_due(recording)
    if has_segments and passages.is_wanted():
        queueing.add(recording, JobKind.EMBED)
    pipeline.settle(recording)
    indexing.index(recording.id)
