"""Summaries and titles: select the instructions and store the results."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import or_, select

from speakr.db import db
from speakr.domain.events import SummaryCompleted
from speakr.domain.recordings import is_placeholder
from speakr.domain.statements import Usage
from speakr.domain.summaries import MAX_LINES, Summary
from speakr.models import Folder, Recording, RecordingTag, SummaryEvidence, Tag, User
from speakr.services.accounts import memberships, usage
from speakr.services.jobs import claims, pipeline
from speakr.services.language import documents, quoting
from speakr.services.search import indexing
from speakr.services.system import system_settings
from speakr.services.webhooks import events

_VARIABLE = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")


def instructions_for(recording: Recording, options: Mapping[str, Any]) -> str | None:
    """Return the instructions for a summary, or None for the built-in ones.

    The first match wins: the request's prompt; all tags' prompts, in order; the folder's; the user's; the server's.
    Each `{{name}}` is then replaced by the upload's prompt variable of that name, or removed.
    """
    found = (options.get("custom_prompt") or "").strip() or _stacked_tag_prompts(recording)
    if not found and recording.folder_id is not None:
        folder = db.session.get(Folder, recording.folder_id)
        found = (folder.custom_prompt or "").strip() if folder else ""
    if not found:
        owner = db.session.get_one(User, recording.user_id)
        found = str(owner.preferences.get("summary_prompt") or "").strip()
    if not found:
        found = system_settings.get("summary_prompt").strip()
    variables = recording.hints.get("prompt_variables") or {}
    return _VARIABLE.sub(lambda match: str(variables.get(match[1], "")), found) or None


def _stacked_tag_prompts(recording: Recording) -> str:
    """Return the prompts of the tags that the owner can see, without those of groups that the owner has left."""
    prompts = db.session.scalars(
        select(Tag.custom_prompt)
        .join(RecordingTag, RecordingTag.tag_id == Tag.id)
        .where(
            RecordingTag.recording_id == recording.id,
            or_(Tag.user_id == recording.user_id, Tag.group_id.in_(memberships.group_ids(recording.user_id))),
        )
        .order_by(RecordingTag.position, Tag.id)
    )
    return "\n\n".join(prompt.strip() for prompt in prompts if prompt and prompt.strip())


def store(
    held: claims.Claim,
    summary: Summary,
    title: str,
    spent: Usage,
    segment_ids: Sequence[int],
    *,
    revision: int,
) -> None:
    """Store a summary (and a title if the recording has none), end the job and record the event, in one transaction."""
    job = claims.succeed(held)
    recording = db.session.get_one(Recording, held.recording_id)
    recording.summary, recording.has_summary = summary.markdown, bool(summary.markdown)
    recording.summary_revision = revision
    _keep_evidence(recording.id, summary, segment_ids)
    if is_placeholder(recording.title):
        recording.title = documents.title_for(recording, title)[:200] or recording.title
    started, finished = job.started_at or job.created_at, job.finished_at or job.created_at
    recording.summarization_duration_seconds = round((finished - started).total_seconds(), 3)
    recording.processing_time_seconds = round(
        (recording.transcription_duration_seconds or 0.0) + recording.summarization_duration_seconds, 3
    )
    usage.add(recording.user_id, tokens=spent.total)
    events.record(
        recording.user_id,
        SummaryCompleted(
            recording_id=recording.id,
            title=recording.title,
            transcription_duration_seconds=recording.transcription_duration_seconds,
            summarization_duration_seconds=recording.summarization_duration_seconds,
        ),
        recording_id=recording.id,
    )
    pipeline.settle(recording)
    pipeline.extract_if_due(recording)
    indexing.index(recording.id)


def _keep_evidence(recording_id: int, summary: Summary, segment_ids: Sequence[int]) -> None:
    row = db.session.get(SummaryEvidence, recording_id) or SummaryEvidence(recording_id=recording_id)
    row.summary_sha256 = _fingerprint(summary.markdown)
    row.coverage = round(summary.lines_read / len(segment_ids), 4)
    row.lines = [
        {"line": line, **quoting.keep_claim(claim, segment_ids)}
        for line, claim in itertools.islice(summary.evidence.items(), MAX_LINES)
    ]
    db.session.add(row)


def evidence_of(recording: Recording) -> dict[str, Any]:
    """Return the sources of a summary's lines and the share of the transcript read; empty once a user has edited it."""
    stale = is_stale(recording)
    row = db.session.get(SummaryEvidence, recording.id)
    if row is None or row.summary_sha256 != _fingerprint(recording.summary or ""):
        return {"sources": [], "coverage": None, "stale": stale}
    transcript = quoting.Transcript(recording.id)
    return {
        "sources": [
            {"line": kept["line"], "text": kept["text"], **transcript.show_claim(kept)} for kept in row.lines
        ],
        "coverage": row.coverage,
        "stale": stale,
    }


def is_stale(recording: Recording) -> bool:
    """Tell whether the transcript has changed since the summary was written."""
    return recording.has_summary and recording.summary_revision != recording.transcript_revision


def _fingerprint(markdown: str) -> str:
    return hashlib.sha256(markdown.encode()).hexdigest()
