"""Key points, action items, chapters and topics of recordings. A job stores them; the API reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select

from speakr.db import db
from speakr.domain.clock import isoformat_z, now
from speakr.domain.errors import TransientJobError
from speakr.domain.insights import MAX_PER_LIST, ActionItem, Insights
from speakr.domain.speakers import is_label
from speakr.models import Insight, Recording, RecordingSpeaker, Segment, User
from speakr.services.accounts import usage, users
from speakr.services.jobs import claims
from speakr.services.language import calendar_events, quoting


def store(held: claims.Claim, found: Insights, segment_ids: Sequence[int], revision: int) -> None:
    """Replace earlier insights and events, end the job and record events: in one transaction."""
    claims.succeed(held)
    # Lock the recording, so that no other transaction replaces the transcript that the job read.
    recording = db.session.get_one(Recording, held.recording_id, with_for_update={"key_share": True})
    if recording.transcript_revision != revision and not _is_any_left(recording.id, segment_ids):
        raise TransientJobError("The transcript was replaced while the job ran.", code="transcript_replaced")
    row = db.session.get(Insight, recording.id) or Insight(recording_id=recording.id)
    row.content = _content(found, segment_ids)
    row.engine, row.is_extractive = found.engine[:120], found.is_extractive
    row.coverage = share(found.lines_read, len(segment_ids))
    row.last_segment_id, row.created_at = max(segment_ids), now()
    row.transcript_revision = revision
    db.session.add(row)
    usage.add(recording.user_id, tokens=found.usage.total)
    if users.preferences(db.session.get_one(User, recording.user_id))["extract_events"]:
        calendar_events.replace_extracted(recording, found.events, segment_ids)


def _is_any_left(recording_id: int, segment_ids: Sequence[int]) -> bool:
    """Tell whether the transcript that the job read still exists, possibly corrected, instead of another one."""
    lowest = select(func.min(Segment.id)).where(Segment.recording_id == recording_id)
    least = db.session.scalar(lowest)
    return least is not None and least <= max(segment_ids)


def share(lines_read: int, count: int) -> float:
    """Return the share of segments that were read."""
    return round(lines_read / count, 4) if count else 1.0


def _content(found: Insights, segment_ids: Sequence[int]) -> dict[str, Any]:
    return {
        "key_points": [quoting.keep_claim(claim, segment_ids) for claim in found.key_points[:MAX_PER_LIST]],
        "action_items": [_keep_item(item, segment_ids) for item in found.action_items[:MAX_PER_LIST]],
        "chapters": [
            {"title": chapter.title, "segment_id": segment_ids[chapter.line]}
            for chapter in found.chapters[:MAX_PER_LIST]
        ],
        "topics": [
            {
                "text": topic.name,
                "verified": topic.is_verified,
                "sources": quoting.keep(topic.sources, segment_ids),
            }
            for topic in found.topics[:MAX_PER_LIST]
        ],
    }


def _keep_item(item: ActionItem, segment_ids: Sequence[int]) -> dict[str, Any]:
    return {
        **quoting.keep_claim(item.claim, segment_ids),
        "owner": item.owner,
        "due": item.due,
        "due_at": isoformat_z(item.due_at) if item.due_at else None,
    }


def of_recording(recording_id: int) -> dict[str, Any]:
    """Return the insights of a recording (`InsightsOut`). The caller has checked the permission."""
    row = db.session.get(Insight, recording_id)
    if row is None:
        return dict(_NOTHING)
    transcript = quoting.Transcript(recording_id)
    is_current = bool(transcript.rows) and not is_stale(recording_id)
    content = row.content
    names = _names(recording_id)
    return {
        "has_insights": True,
        "key_points": [
            {"text": kept["text"], **transcript.show_claim(kept)} for kept in content["key_points"]
        ],
        "action_items": [
            {
                "text": kept["text"],
                "owner": names.get(kept["owner"], kept["owner"]),
                "due": kept["due"],
                "due_at": kept["due_at"],
                **transcript.show_claim(kept),
            }
            for kept in content["action_items"]
        ],
        "chapters": _chapters(content["chapters"], transcript),
        "topics": [{"name": kept["text"], **transcript.show_claim(kept)} for kept in content["topics"]],
        "coverage": row.coverage,
        "engine": row.engine,
        "is_extractive": row.is_extractive,
        "is_current": is_current,
        "stale": not is_current,
        "created_at": isoformat_z(row.created_at),
    }


def is_stale(recording_id: int) -> bool:
    """Tell whether the transcript has changed since the insights and dated events were extracted."""
    changed = (
        select(Recording.id)
        .join(Insight, Insight.recording_id == Recording.id)
        .where(Recording.id == recording_id, Insight.transcript_revision != Recording.transcript_revision)
    )
    return db.session.scalar(changed) is not None


_NOTHING: Mapping[str, Any] = {
    "has_insights": False,
    "key_points": [],
    "action_items": [],
    "chapters": [],
    "topics": [],
    "coverage": 0.0,
    "engine": None,
    "is_extractive": None,
    "is_current": False,
    "stale": False,
    "created_at": None,
}


def _chapters(kept: Sequence[Mapping[str, Any]], transcript: quoting.Transcript) -> list[dict[str, Any]]:
    """Return chapters with their times, without those whose segments no longer exist."""
    places = [
        (each["title"], at) for each in kept if (at := transcript.place_of(each["segment_id"])) is not None
    ]
    ends = [transcript.rows[at].start for _, at in places[1:]]
    if transcript.rows:
        ends.append(max(row.end for row in transcript.rows))
    return [
        {
            "title": title,
            "start_time": transcript.rows[at].start,
            "end_time": end,
            "sources": transcript.show([(transcript.rows[at].id, quoting.opening(transcript.rows[at].text))]),
        }
        for (title, at), end in zip(places, ends[: len(places)], strict=True)
    ]


def _names(recording_id: int) -> dict[str, str]:
    """Return the current names of labels."""
    rows = db.session.execute(
        select(RecordingSpeaker.label, RecordingSpeaker.name).where(
            RecordingSpeaker.recording_id == recording_id
        )
    )
    return {row.label: row.name for row in rows if is_label(row.label)}
