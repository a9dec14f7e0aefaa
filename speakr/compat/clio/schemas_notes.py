"""Schemas of notes, tags and transcripts, and notes in Clio's shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from marshmallow import fields, validate

from speakr.compat.clio.noun import MEDIA, PREFIX
from speakr.domain.caps import CAPS, Noun
from speakr.domain.clips import ClipResult
from speakr.domain.errors import Invalid
from speakr.domain.recordings import RecordingStatus
from speakr.domain.search import Term, beginnings_of
from speakr.domain.transcript import mean_confidence
from speakr.domain.transcript_edits import MAX_SEGMENTS
from speakr.services.recordings.listing import Filters
from speakr.services.search.numbered_pages import Sort, order_of
from speakr.services.speech.formatted_texts import FormattedText
from speakr.web.fields import BIGGEST_ID, Pattern, QueryBoolean, Text, bounded, text
from speakr.web.numbers import parts_of
from speakr.web.pages import base_url
from speakr.web.wire import UtcDateTime, Wire, clock, moment

LANGUAGES = ("en", "es", "fr", "de", "it", "pt", "ja", "ko", "zh", "auto")
STATUSES: Mapping[str, Sequence[RecordingStatus]] = {
    "processing": (RecordingStatus.PENDING, RecordingStatus.PROCESSING),
    "completed": (RecordingStatus.COMPLETED, RecordingStatus.SUMMARIZING),
    "failed": (RecordingStatus.FAILED,),
}
"""Clio knows no summaries: while Speakr writes one, the text is there."""
MAX_PAGE_SIZE = 100
_ORDERINGS = {
    "created_at": "created_at",
    "updated_at": "updated_at",
    "title": "title",
    "duration": "audio_duration",
}
_COLOR = Pattern("^#[0-9A-Fa-f]{6}$", error="must be a color such as #3B82F6")
_NAME = [validate.Length(min=1, max=50)]
_MIB = 1024 * 1024


class TagIn(Wire):
    """A tag to create."""

    name = Text(required=True, validate=_NAME, metadata={"example": "meetings"})
    color = fields.String(validate=_COLOR, metadata={"example": "#10B981"})


class TagUpdateIn(Wire):
    """Fields of a tag to change."""

    name = Text(validate=_NAME, metadata={"example": "meetings"})
    color = fields.String(validate=_COLOR, metadata={"example": "#10B981"})


class TagOut(Wire):
    """A tag."""

    id = fields.Integer(required=True, metadata={"example": 1})
    name = fields.String(required=True, metadata={"example": "work"})
    color = fields.String(required=True, metadata={"example": "#3B82F6"})
    created_at = UtcDateTime(required=True)


class SegmentOut(Wire):
    """A stretch of speech; times in seconds."""

    id = fields.Integer(required=True, metadata={"example": 71})
    start_time = fields.Float(required=True, metadata={"example": 0.0})
    end_time = fields.Float(required=True, metadata={"example": 3.2})
    duration = fields.Float(required=True, metadata={"example": 3.2})
    text = fields.String(required=True, metadata={"example": "Hello everyone."})
    confidence = fields.Float(required=True, allow_none=True, metadata={"example": 0.98})
    speaker_id = fields.String(required=True, metadata={"description": "Always empty.", "example": ""})


class NoteItemOut(Wire):
    """A note in a list."""

    id = fields.Integer(required=True, metadata={"example": 1})
    title = fields.String(required=True, metadata={"example": "Meeting notes"})
    username = fields.String(required=True, metadata={"example": "john_doe"})
    status = fields.String(required=True, validate=validate.OneOf(list(STATUSES)))
    duration = fields.String(required=True, allow_none=True, metadata={"example": "00:05:30"})
    file_size_mb = fields.Float(required=True, metadata={"example": 8.5})
    language_detected = fields.String(required=True, metadata={"example": "en"})
    confidence_score = fields.Float(required=True, allow_none=True, metadata={"example": 0.95})
    is_favorite = fields.Boolean(required=True)
    tags = bounded(TagOut, CAPS[Noun.RECORDING_TAGS])
    created_at = UtcDateTime(required=True)
    updated_at = UtcDateTime(required=True)
    audio_file = fields.String(
        required=True, allow_none=True, metadata={"description": "Path with signature"}
    )
    audio_url = fields.String(required=True, allow_none=True, metadata={"description": "The same with host"})
    transcription_text = fields.String(metadata={"description": "In lists: the beginning of the text."})
    transcription_confidence = fields.Float(allow_none=True)


class NoteListOut(Wire):
    """A page of notes."""

    count = fields.Integer(required=True, metadata={"example": 25})
    next = fields.String(required=True, allow_none=True)
    previous = fields.String(required=True, allow_none=True)
    results = bounded(NoteItemOut, MAX_PAGE_SIZE)


class NoteOut(NoteItemOut):
    """A note."""

    transcription = fields.String(required=True)
    error_message = fields.String(required=True)
    segments = bounded(SegmentOut, MAX_SEGMENTS)


class NoteCreatedOut(Wire):
    """A new note."""

    success = fields.Boolean(required=True)
    message = fields.String(required=True)
    data = fields.Nested(NoteOut, required=True)


class NoteForm(Wire):
    """A new note, for the OpenAPI document; `notes.py` reads it from the stream."""

    audio_file = fields.Raw(required=True, metadata={"type": "string", "format": "binary"})
    title = fields.String(validate=validate.Length(max=255), metadata={"example": "Meeting notes"})
    tag_ids = fields.List(fields.Integer(), metadata={"example": [1, 2]})


class NoteUpdateIn(Wire):
    """Fields of a note to change."""

    title = text(255, metadata={"example": "Updated meeting notes"})
    transcription = text(1_000_000, metadata={"example": "Updated transcription text"})
    is_favorite = fields.Boolean(metadata={"example": True})
    tag_ids = fields.List(
        fields.Integer(validate=validate.Range(min=1, max=BIGGEST_ID)),
        validate=validate.Length(max=CAPS[Noun.RECORDING_TAGS]),
        metadata={"description": "All tags of the note from now on.", "example": [1, 3]},
    )


class RetranscribeIn(Wire):
    """In which language."""

    language = fields.String(load_default="auto", metadata={"enum": list(LANGUAGES), "example": "en"})


class RetranscribedOut(Wire):
    """A note whose transcription has started again."""

    success = fields.Boolean(required=True)
    message = fields.String(required=True)
    data = fields.Dict(required=True)


class TranscribeForm(Wire):
    """A file to transcribe, for the OpenAPI document."""

    audio_file = fields.Raw(required=True, metadata={"type": "string", "format": "binary"})
    language = fields.String(metadata={"enum": list(LANGUAGES), "example": "en"})


class TranscribedSegmentOut(Wire):
    """A stretch of speech; times in seconds."""

    start_time = fields.Float(required=True, metadata={"example": 0.0})
    end_time = fields.Float(required=True, metadata={"example": 15.2})
    text = fields.String(required=True, metadata={"example": "This is the text."})
    confidence = fields.Float(required=True, allow_none=True, metadata={"example": 0.95})


class TranscriptDataOut(Wire):
    """A transcript that is not stored."""

    transcription = fields.String(required=True)
    language = fields.String(required=True, metadata={"example": "en"})
    duration = fields.Float(required=True, metadata={"description": "Seconds", "example": 30.5})
    confidence = fields.Float(required=True, metadata={"example": 0.92})
    segments = bounded(TranscribedSegmentOut, MAX_SEGMENTS)


class TranscribedOut(Wire):
    """The answer to a transcription."""

    success = fields.Boolean(required=True)
    data = fields.Nested(TranscriptDataOut, required=True)


class DoneOut(Wire):
    """Something was done."""

    success = fields.Boolean(required=True)
    message = fields.String(required=True)


class NoteQuery(Wire):
    """Filters, order and page of a list. Empty values count as absent: the web client sends them."""

    page = fields.String(load_default="1", metadata={"example": "1"})
    page_size = fields.String(load_default="20", metadata={"example": "20"})
    search = text(400, load_default="", metadata={"description": "Words of the title or the text."})
    status = fields.String(load_default="", metadata={"description": ", ".join(STATUSES)})
    language_detected = fields.String(load_default="", metadata={"example": "en"})
    is_favorite = fields.String(load_default="", metadata={"description": "true or false"})
    tags = fields.List(
        fields.String(), load_default=[], metadata={"description": "Ids, also as a comma list. Any of them."}
    )
    ordering = fields.String(
        load_default="", metadata={"description": f"{', '.join(_ORDERINGS)}; - before a name: descending."}
    )


def filters_of(query: Mapping[str, Any]) -> Filters:
    """Return the filters of a query (`NoteQuery`)."""
    errors: dict[str, list[str]] = {}
    status, favorite = query["status"].strip(), query["is_favorite"].strip()
    if status and status not in STATUSES:
        errors["status"] = [f"Select a valid choice: {', '.join(STATUSES)}."]
    tags = parts_of(query["tags"])
    if not all(part.isascii() and part.isdigit() for part in tags):
        errors["tags"] = ["must be ids"]
    if errors:
        raise Invalid("; ".join(f"{name}: {texts[0]}" for name, texts in errors.items()), errors=errors)
    return Filters(
        statuses=STATUSES.get(status),
        language=query["language_detected"].strip() or None,
        is_starred=QueryBoolean.WORDS.get(favorite.lower()),
        tag_ids=[number for part in tags if (number := int(part[:10])) <= BIGGEST_ID] if tags else None,
    )


def terms_of(query: Mapping[str, Any]) -> tuple[Term, ...] | None:
    """Return the words to find."""
    return beginnings_of(query["search"])


def sorts_of(query: Mapping[str, Any]) -> list[Sort]:
    """Return the order of a list, newest first by default."""
    return order_of(query["ordering"], _ORDERINGS, otherwise=Sort("created_at", descending=True))


def language_of(name: str) -> str | None:
    """Return the language that a request names; None if the engine is to detect it.

    Raises:
        Invalid: it is none of `LANGUAGES`.

    """
    if name not in LANGUAGES:
        message = f"Invalid language. Choose one of: {', '.join(LANGUAGES)}."
        raise Invalid(message, errors={"language": [message]})
    return None if name == "auto" else name


def status_of(row: Any) -> str:
    """Return the status of a note in Clio's words."""
    return next(name for name, of_name in STATUSES.items() if row.status in of_name)


def tag_json(tag: Any) -> dict[str, Any]:
    """Return a tag (`TagOut`)."""
    return {"id": tag.id, "name": tag.name, "color": tag.color, "created_at": moment(tag.created_at)}


def note_item(row: Any, username: str, tags: Sequence[Any], words: str, user_id: int) -> dict[str, Any]:
    """Return a note as a list item (`NoteItemOut`). words: its text; not shown while it is being transcribed."""
    status = status_of(row)
    is_new = status == "processing" and not row.has_transcription
    confidence = None if is_new or row.confidence is None else round(row.confidence, 3)
    path = MEDIA.address_of(row, user_id)
    return {
        "id": row.id,
        "title": row.title,
        "username": username,
        "status": status,
        "duration": None if is_new else clock(row.audio_duration),
        "file_size_mb": max(round(row.file_size / _MIB, 2), 0.01),
        "language_detected": row.language or "auto",
        "confidence_score": confidence,
        "is_favorite": row.is_highlighted,
        "tags": [tag_json(tag) for tag in tags],
        "created_at": moment(row.created_at),
        "updated_at": moment(row.updated_at),
        "audio_file": path,
        "audio_url": path and f"{base_url()}{PREFIX}{path}",
        "transcription_text": "" if status == "processing" else words,
        "transcription_confidence": confidence,
    }


def segment_json(row: Any) -> dict[str, Any]:
    """Return a segment (`SegmentOut`)."""
    return {
        "id": row.id,
        "start_time": row.start,
        "end_time": row.end,
        "duration": round(row.end - row.start, 3),
        "text": row.text,
        "confidence": row.confidence,
        "speaker_id": "",
    }


def clip_json(result: ClipResult, text: str) -> dict[str, Any]:
    """Return a transcript that is not stored (`TranscriptDataOut`)."""
    confidence = mean_confidence(each.confidence for each in result.segments)
    return {
        "transcription": text,
        "language": result.language or "auto",
        "duration": round(result.duration_seconds, 3),
        "confidence": round(confidence or 0.0, 3),
        "segments": [
            {"start_time": each.start, "end_time": each.end, "text": each.text, "confidence": each.confidence}
            for each in result.segments
        ],
    }


def details(recording: Any, found: FormattedText) -> dict[str, Any]:
    """Return what a note (`NoteOut`) has beyond a list item."""
    return {
        "transcription": found.text,
        "error_message": recording.error_message or "",
        "segments": [segment_json(each) for each in found.segments],
    }


def started(recording: Any, language: str) -> dict[str, Any]:
    """Return a note whose transcription has started again (`RetranscribedOut`)."""
    return {
        "id": recording.id,
        "title": recording.title,
        "transcription": "",
        "status": "processing",
        "language_detected": language,
        "error_message": "",
        "updated_at": moment(recording.updated_at),
    }
