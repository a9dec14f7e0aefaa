"""Summaries of posted texts: a job writes one, and its row is kept for a day. The text is erased when the job ends."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import delete, func, select, update

from speakr.db import db
from speakr.domain.clock import now
from speakr.domain.errors import ClaimLost, Conflict, Invalid, NotFound
from speakr.domain.jobs import ACTIVE, JobKind
from speakr.domain.permissions import Actor
from speakr.domain.posted_texts import SummaryFormat
from speakr.domain.statements import NumberedLine, Usage
from speakr.models import Job, PostedSummary, User
from speakr.services.accounts import budgets, usage, users
from speakr.services.jobs import claims, requests
from speakr.services.jobs.kinds import Steps
from speakr.services.language import language_model

KEEP: Final = timedelta(hours=24)
"""For how long a summary can be read."""
MAX_ACTIVE: Final = 100
"""Summaries of a user that are queued or running: each holds its text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A summary of a posted text. engine: what wrote it, such as `embedded/lexrank`."""

    summary: str
    topics: Sequence[str]
    words: int
    engine: str


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A summary as its user sees it; `written` is None until the job has succeeded."""

    job: Job
    format: SummaryFormat
    max_words: int
    written: Written | None
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What the job reads. language: ISO 639-1 code to write in; None leaves the choice to the engine."""

    lines: Sequence[NumberedLine]
    format: SummaryFormat
    max_words: int
    language: str | None


def create(actor: Actor, lines: Sequence[NumberedLine], form: SummaryFormat, max_words: int) -> View:
    """Queue a summary, in a unit of work.

    Raises:
        Invalid: the text has no words (`no_text`).
        Forbidden: the budget of tokens is used up.
        Conflict: too many summaries of this user are active (`too_many_summaries`).

    """
    if not any(any(character.isalnum() for character in line.text) for line in lines):
        raise Invalid("There is no text to summarise.", code="no_text")
    if language_model.spends_tokens():
        budgets.admit_question(actor.user_id)
    active = select(func.count()).where(
        Job.user_id == actor.user_id, Job.kind == JobKind.SUMMARIZE_TEXT, Job.state.in_(ACTIVE)
    )
    if (db.session.scalar(active) or 0) >= MAX_ACTIVE:
        raise Conflict(
            f"{MAX_ACTIVE} summaries are queued already. Wait until some are done.", code="too_many_summaries"
        )
    user = db.session.get_one(User, actor.user_id)
    job, _ = requests.submit(user, JobKind.SUMMARIZE_TEXT, part=uuid.uuid4().hex)
    kept = [[line.speaker, line.text, line.start, line.end] for line in lines]
    row = PostedSummary(job_id=job.id, format=form.value, max_words=max_words, lines=kept, created_at=now())
    db.session.add(row)
    return _view(job, row)


def get(actor: Actor, job_id: int) -> View:
    """Return a summary of the actor. Raises `NotFound`, also once it has expired."""
    row = db.session.scalar(
        select(PostedSummary)
        .join(Job, Job.id == PostedSummary.job_id)
        .where(PostedSummary.job_id == job_id, Job.user_id == actor.user_id)
    )
    if row is None:
        raise NotFound("Summary not found or expired")
    return _view(db.session.get_one(Job, job_id), row)


def _view(job: Job, row: PostedSummary) -> View:
    return View(
        job=job,
        format=SummaryFormat(row.format),
        max_words=row.max_words,
        written=None if row.result is None else Written(**row.result),
        expires_at=row.created_at + KEEP,
    )


# -- what the job does


def material(held: claims.Claim) -> Material:
    """Return the text of a job. Raises `PermanentJobError` when the budget of tokens is used up."""
    row = db.session.get(PostedSummary, held.job_id, populate_existing=True)
    if row is None or row.lines is None:
        raise ClaimLost("The text is not there any more.")
    if language_model.spends_tokens():
        budgets.admit_language_job(held.user_id)
    owner = db.session.get_one(User, held.user_id)
    return Material(
        lines=[NumberedLine(*line) for line in row.lines],
        format=SummaryFormat(row.format),
        max_words=row.max_words,
        language=users.preferences(owner)["output_language"],
    )


def store(held: claims.Claim, written: Written, spent: Usage) -> None:
    """End the job and store its summary, in a unit of work. Raises `ClaimLost`."""
    job = claims.succeed(held)
    _erase_text(job, result=asdict(written))
    usage.add(job.user_id, tokens=spent.total)


def _erase_text(job: Job, **values: Any) -> None:
    db.session.execute(
        update(PostedSummary)
        .where(PostedSummary.job_id == job.id)
        .values(lines=None, **values)
        .execution_options(synchronize_session=False)
    )


STEPS = Steps(on_failed=_erase_text, on_cancelled=_erase_text)


def forget_old() -> None:
    """Delete what has expired; maintenance calls this in a unit of work. Active jobs keep their text."""
    active = select(Job.id).where(Job.id == PostedSummary.job_id, Job.state.in_(ACTIVE)).exists()
    db.session.execute(
        delete(PostedSummary)
        .where(PostedSummary.created_at < now() - KEEP, ~active)
        .execution_options(synchronize_session=False)
    )
