"""Queue work on an existing recording."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from speakr.db import db
from speakr.domain.errors import Conflict, Invalid
from speakr.domain.jobs import KINDS, Budget, JobKind, JobState
from speakr.domain.permissions import Actor, Permission
from speakr.models import Folder, Job, Recording, RecordingTag, Tag, User
from speakr.services.accounts import budgets
from speakr.services.jobs import queueing
from speakr.services.jobs import requests as jobs
from speakr.services.language import language_model
from speakr.services.recordings import access
from speakr.services.speech import engines, hints


def transcribe(actor: Actor, recording_id: int, asked: Mapping[str, Any]) -> tuple[Job, bool]:
    """Queue a transcription; hints of the request override those of the recording."""
    recording = access.get(actor, recording_id, Permission.EDIT)
    if recording.storage_key is None:
        raise Invalid("Audio has been deleted", code="audio_deleted")
    check_speaker_counts(asked.get("min_speakers"), asked.get("max_speakers"))
    if queueing.active_on(recording, JobKind.TRANSCRIBE) is None:  # a queued job was admitted before
        _admit(recording, JobKind.TRANSCRIBE)
    wanted = hints.resolve(
        {**asked, "model": asked.get("transcription_model")},
        tags=_tags(recording),
        folder=_folder(recording),
        user=db.session.get_one(User, recording.user_id),
        offered_models=engines.offered_models,
    )
    options = hints.to_json(wanted)
    channels = asked.get("channels") or recording.hints.get("channels")
    if channels is not None:
        options["channels"] = channels
    return jobs.submit(recording, JobKind.TRANSCRIBE, options)


def summarize(actor: Actor, recording_id: int, custom_prompt: str | None) -> tuple[Job, bool]:
    """Queue a summary; `custom_prompt` replaces all other instructions."""
    recording = access.get(actor, recording_id, Permission.EDIT)
    if not recording.has_transcription:
        raise Invalid("No transcription available - transcribe first", code="no_transcription")
    _admit(recording, JobKind.SUMMARIZE)
    return jobs.submit(
        recording, JobKind.SUMMARIZE, {"custom_prompt": custom_prompt} if custom_prompt else {}
    )


def extract(actor: Actor, recording_id: int) -> tuple[Job, bool]:
    """Queue the extraction of key points, action items, chapters, topics and events."""
    recording = access.get(actor, recording_id, Permission.EDIT)
    if not recording.has_transcription:
        raise Invalid("No transcription available - transcribe first", code="no_transcription")
    _admit(recording, JobKind.EXTRACT)
    return jobs.submit(recording, JobKind.EXTRACT)


def retry(actor: Actor, job_id: int) -> Job:
    """Queue a failed or cancelled job's work again, with the same options."""
    job = jobs.get(actor, job_id, Permission.EDIT)
    if job.state not in {JobState.FAILED, JobState.CANCELLED}:
        raise Conflict("Only a failed or cancelled job can be retried.", code="job_not_failed")
    kind = KINDS.get(job.kind)
    if kind is not None and not kind.is_repeatable:
        raise Conflict("The audio of this job was not kept; send it again.", code="job_not_repeatable")
    if job.recording_id is not None and queueing.active(job.dedupe_key) is None:
        _admit(db.session.get_one(Recording, job.recording_id), job.kind)
    return jobs.submit_again(job)


def _admit(recording: Recording, kind: str) -> None:
    """Refuse work that exceeds the budget of its kind. Call this in the transaction that queues it."""
    budget = KINDS[kind].budget
    if budget is Budget.AUDIO:
        budgets.admit_transcription(recording.user_id, seconds=recording.audio_duration)
    elif budget is Budget.TOKENS and language_model.spends_tokens():
        budgets.admit_question(recording.user_id)


def check_speaker_counts(least: int | None, most: int | None, *, prefix: str = "") -> None:
    """Refuse a minimum above the maximum; `prefix` is the prefix of the fields' names."""
    if least is not None and most is not None and least > most:
        raise Invalid(
            f"{prefix}min_speakers is larger than {prefix}max_speakers.",
            errors={f"{prefix}min_speakers": [f"must not be above {prefix}max_speakers"]},
        )


def _tags(recording: Recording) -> list[Tag]:
    return list(
        db.session.scalars(
            select(Tag)
            .join(RecordingTag, RecordingTag.tag_id == Tag.id)
            .where(RecordingTag.recording_id == recording.id)
            .order_by(RecordingTag.position)
        )
    )


def _folder(recording: Recording) -> Folder | None:
    return None if recording.folder_id is None else db.session.get(Folder, recording.folder_id)
