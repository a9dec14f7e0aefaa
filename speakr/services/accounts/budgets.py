"""Limits on usage: language model tokens and minutes of audio per month, bytes of stored audio.

A user's own limit overrides the server's default; None means no limit, 0 means nothing at all. A job counts
against the owner of its recording, even if another user requests it; a question counts against the user who asks it.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select

from speakr.db import db
from speakr.domain.errors import Forbidden, PermanentJobError
from speakr.domain.jobs import ACTIVE, Budget, kinds_counted_against
from speakr.models import Clip, Job, Recording, User
from speakr.services.accounts import usage
from speakr.services.system import system_settings

_MIB = 1024 * 1024
_DEFAULTS = ("default_token_budget", "default_transcription_budget_minutes", "default_storage_quota_mb")
_TOKENS_SPENT = "The budget of language model tokens for this month is used up."


@dataclass(frozen=True, slots=True)
class Limits:
    """One user's limits; None means no limit. `seconds` of audio and `tokens` are per calendar month (UTC)."""

    tokens: int | None
    seconds: int | None
    storage_bytes: int | None


def limits_of(user: User) -> Limits:
    """Return a user's limits, with the server's defaults filled in."""
    defaults = system_settings.get_several(*_DEFAULTS)
    tokens, minutes, megabytes = (defaults[name] for name in _DEFAULTS)
    return Limits(
        tokens=_first(user.token_budget, tokens, 1),
        seconds=_first(user.transcription_budget_seconds, minutes, 60),
        storage_bytes=_first(user.storage_quota_bytes, megabytes, _MIB),
    )


def _first(own: int | None, default: int | None, unit: int) -> int | None:
    if own is not None:
        return own
    return None if default is None else default * unit


def admit_upload(user_id: int, *, size_bytes: int, seconds: float | None) -> None:
    """Refuse an upload that exceeds a limit. Call this in the transaction that stores the upload.

    Raises:
        Forbidden: `storage_quota_exceeded` or `transcription_budget_exceeded`.

    """
    _admit_seconds(user_id, admit_bytes(user_id, size_bytes), seconds or 0.0)


def admit_bytes(user_id: int, size_bytes: int) -> Limits:
    """Refuse audio that exceeds the storage quota; return the user's limits.

    size_bytes: what is added, less what the same transaction deletes.

    Raises:
        Forbidden: `storage_quota_exceeded`.

    """
    limits = limits_of(_locked(user_id))
    if limits.storage_bytes is not None:
        used = storage_used(user_id)
        if used + size_bytes > limits.storage_bytes:
            raise Forbidden(
                f"The storage quota of {limits.storage_bytes // _MIB} MB would be exceeded.",
                code="storage_quota_exceeded",
                used_bytes=used,
                quota_bytes=limits.storage_bytes,
            )
    return limits


def admit_transcription(user_id: int, *, seconds: float | None) -> None:
    """Refuse a transcription that exceeds the month's budget. Call this in the transaction that queues it.

    Raises:
        Forbidden: `transcription_budget_exceeded`.

    """
    _admit_seconds(user_id, limits_of(_locked(user_id)), seconds or 0.0)


def _locked(user_id: int) -> User:
    """Load a user and lock the row, so that concurrent requests cannot spend the same budget."""
    # `FOR NO KEY UPDATE`: other transactions may still insert rows that refer to the user. A job that ends meanwhile
    # has locked its recording, which this transaction may lock next, and inserts its usage.
    query = select(User).where(User.id == user_id).with_for_update(key_share=True)
    return db.session.execute(query).scalar_one()


def _admit_seconds(user_id: int, limits: Limits, seconds: float) -> None:
    if limits.seconds is None:
        return
    # Queued and running transcriptions are not counted yet, but will be.
    promised = (
        select(func.coalesce(func.sum(Recording.audio_duration), 0.0))
        .join(Job, Job.recording_id == Recording.id)
        .where(
            Job.user_id == user_id,
            Job.kind.in_(kinds_counted_against(Budget.AUDIO)),
            Job.state.in_(ACTIVE),
        )
    )
    clips = (
        select(func.coalesce(func.sum(Clip.duration_seconds), 0.0))
        .join(Job, Job.id == Clip.job_id)
        .where(Job.user_id == user_id, Job.state.in_(ACTIVE))
    )
    used = usage.this_month(user_id)[1] + sum(db.session.scalar(each) or 0.0 for each in (promised, clips))
    if used + seconds > limits.seconds or used >= limits.seconds:
        raise Forbidden(
            f"The budget of {limits.seconds // 60} minutes of transcription for this month would be exceeded.",
            code="transcription_budget_exceeded",
            used_seconds=round(used),
            budget_seconds=limits.seconds,
        )


def admit_question(user_id: int) -> None:
    """Refuse a question to a language model when the month's tokens are used up.

    Raises:
        Forbidden: `token_budget_exceeded`.

    """
    if _tokens_are_spent(user_id):
        raise Forbidden(_TOKENS_SPENT, code="token_budget_exceeded")


def admit_language_job(user_id: int) -> None:
    """Refuse a language job when the month's tokens are used up; the job fails permanently.

    Raises:
        PermanentJobError: `token_budget_exceeded`.

    """
    if _tokens_are_spent(user_id):
        raise PermanentJobError(_TOKENS_SPENT, code="token_budget_exceeded")


def _tokens_are_spent(user_id: int) -> bool:
    limit = limits_of(db.session.get_one(User, user_id)).tokens
    return limit is not None and usage.this_month(user_id)[0] >= limit


def storage_used(user_id: int) -> int:
    """Return the bytes of audio that are stored for a user."""
    used = db.session.scalar(
        select(func.coalesce(func.sum(Recording.file_size), 0)).where(
            Recording.user_id == user_id, Recording.storage_key.is_not(None)
        )
    )
    return int(used or 0)
