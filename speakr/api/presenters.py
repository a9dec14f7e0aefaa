"""Build responses from rows, for the most frequent requests.

These functions build plain dicts: dumping a page of recordings field by field through marshmallow takes longer than the
database. The schemas document them, and the contract tests compare the two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from speakr.domain.transcript_quality import TranscriptQuality
from speakr.web.wire import moment

_QUALITY = tuple(field.name for field in fields(TranscriptQuality))
_OWNERS_OWN: Mapping[str, Any] = {
    "is_inbox": False,
    "is_highlighted": False,
    "folder_id": None,
    "folder": None,
    "deletion_exempt": False,
    "tags": [],
}
"""Values that users other than the owner get in place of the owner's marks."""


def _base(row: Any, tags: Sequence[Any], folder_name: str | None) -> dict[str, Any]:
    """Return the fields that list item and detail share; `row` has the columns of `listing.ITEM_COLUMNS`."""
    return {
        "id": row.id,
        "title": row.title,
        "status": row.status.value,
        "created_at": moment(row.created_at),
        "updated_at": moment(row.updated_at),
        "completed_at": moment(row.completed_at),
        "meeting_date": moment(row.meeting_date),
        "file_size": row.file_size,
        "original_filename": row.original_filename,
        "participants": row.participants,
        "is_inbox": row.is_inbox,
        "is_highlighted": row.is_highlighted,
        "audio_available": row.storage_key is not None,
        "audio_duration": row.audio_duration if row.storage_key is not None else None,
        "processing_time_seconds": row.processing_time_seconds,
        "transcription_duration_seconds": row.transcription_duration_seconds,
        "summarization_duration_seconds": row.summarization_duration_seconds,
        "folder_id": row.folder_id,
        "folder": None if folder_name is None else {"id": row.folder_id, "name": folder_name},
        "deletion_exempt": row.deletion_exempt,
        "error_message": row.error_message,
        "keep_audio_only": row.keep_audio_only,
        "language": row.language,
        "confidence": None if row.confidence is None else round(row.confidence, 3),
        "tags": [{"id": tag.id, "name": tag.name, "color": tag.color} for tag in tags],
    }


_EDITABLE = (
    "id",
    "title",
    "participants",
    "notes",
    "summary",
    "meeting_date",
    "is_inbox",
    "is_highlighted",
    "folder_id",
    "deletion_exempt",
)


def editable_fields(recording: Any, *, is_owner: bool) -> dict[str, Any]:
    """Return the fields that an update may change (`RecordingFieldsOut`); the owner's marks for the owner only."""
    shown = {name: getattr(recording, name) for name in _EDITABLE}
    if not is_owner:
        hidden = {**_OWNERS_OWN, "notes": None}
        shown |= {name: hidden[name] for name in _EDITABLE if name in hidden}
    return shown


def recording_item(
    row: Any, tags: Sequence[Any], folders: Mapping[int, str], *, is_owner: bool = True
) -> dict[str, Any]:
    """Return a recording as a list item (`RecordingItemOut`)."""
    item = _base(row, tags, folders.get(row.folder_id))
    if not is_owner:
        item.update(_OWNERS_OWN)
    item["has_transcription"] = row.has_transcription
    item["has_summary"] = row.has_summary
    return item


def recording_detail(
    row: Any,
    tags: Sequence[Any],
    folder_name: str | None,
    events: Sequence[Any],
    copies: Sequence[Any],
    *,
    is_owner: bool,
) -> dict[str, Any]:
    """Return a recording with all fields but its texts (`RecordingDetailOut`)."""
    detail = _base(row, tags, folder_name)
    if not is_owner:
        detail.update(_OWNERS_OWN)
    detail["mime_type"] = row.mime_type
    detail["meeting_date_source"] = row.meeting_date_source
    detail["tracks"] = row.tracks or []
    detail["warnings"] = row.warnings or []
    detail["skipped_seconds"] = row.skipped_seconds
    detail["events"] = [calendar_event(event) for event in events]
    detail["duplicate_info"] = None if len(copies) < 2 else _copies(row, copies)  # noqa: PLR2004 - two are a pair
    detail["transcribed_with"] = _transcribed_with(row) if is_owner else None
    detail["quality"] = _quality(row.quality)
    return detail


def _transcribed_with(row: Any) -> dict[str, Any] | None:
    """Return what the transcript was made with; of older transcripts only the engine is known."""
    if row.transcription_engine is None:
        return None
    engine, _, model = row.transcription_engine.partition(":")
    used = row.transcribed_with or {}
    names = ("language", "hotwords", "initial_prompt", "min_speakers", "max_speakers")
    return {
        "engine": row.transcription_engine if "," in row.transcription_engine else engine,
        "model": None if "," in row.transcription_engine else model or None,
        **{name: used.get(name) for name in names},
        "ignored_options": list(used.get("ignored", ())),
    }


def _quality(kept: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if kept is None:
        return None
    return {
        **dict.fromkeys(_QUALITY),
        "times_estimated": False,
        **{n: kept[n] for n in _QUALITY if n in kept},
    }


def _copies(row: Any, copies: Sequence[Any]) -> dict[str, Any]:
    return {
        "total_copies": row.copy_count,
        "copies": [
            {
                "id": copy.id,
                "title": copy.title or f"#{copy.id}",
                "created_at": moment(copy.created_at),
                "is_self": copy.id == row.id,
            }
            for copy in copies
        ],
    }


def calendar_event(event: Any) -> dict[str, Any]:
    """Return a dated event (`CalendarEventOut`)."""
    return {
        "id": event.id,
        "recording_id": event.recording_id,
        "title": event.title,
        "start_datetime": moment(event.start_at),
        "end_datetime": moment(event.end_at),
        "description": event.description,
        "location": event.location,
        "attendees": event.attendees,
        "reminder_minutes": event.reminder_minutes,
        "has_time": event.has_time,
        "created_at": moment(event.created_at),
    }
