"""Schemas of recordings."""

from __future__ import annotations

from marshmallow import ValidationError, fields, pre_load, validate

from speakr.api.schemas.common import PaginationOut
from speakr.api.schemas.fields import (
    WHEN,
    ClaimOut,
    Pattern,
    QueryBoolean,
    StrictBoolean,
    Text,
    an_id,
    bounded,
    text,
)
from speakr.api.schemas.tracks import AboutFileOut
from speakr.api.schemas.transcript_quality import QualityOut, TranscribedWithOut
from speakr.domain.caps import CAPS, Noun
from speakr.domain.insights import MAX_PER_LIST
from speakr.domain.recordings import MAX_COPIES, RecordingStatus
from speakr.services.recordings.listing import SORT_COLUMNS
from speakr.web.wire import UtcDateTime, Wire

MAX_PER_PAGE = 100
LONG_TEXT = 1_000_000

STATUSES = [status.value for status in RecordingStatus]


class TagRefOut(Wire):
    """A tag of a recording."""

    id = fields.Integer(required=True)
    name = fields.String(required=True)
    color = fields.String(required=True)


class FolderRefOut(Wire):
    """The folder of a recording."""

    id = fields.Integer(required=True)
    name = fields.String(required=True)


class RecordingBaseOut(Wire):
    """Fields that list item and detail share."""

    id = fields.Integer(required=True)
    title = fields.String(required=True)
    status = fields.String(required=True, validate=validate.OneOf(STATUSES))
    created_at = UtcDateTime(required=True)
    updated_at = UtcDateTime(required=True)
    completed_at = UtcDateTime(required=True, allow_none=True)
    meeting_date = UtcDateTime(required=True, allow_none=True)
    file_size = fields.Integer(required=True, metadata={"description": "Bytes"})
    original_filename = fields.String(required=True)
    participants = fields.String(required=True, allow_none=True)
    is_inbox = fields.Boolean(required=True)
    is_highlighted = fields.Boolean(required=True)
    audio_available = fields.Boolean(required=True)
    audio_duration = fields.Float(required=True, allow_none=True, metadata={"description": "Seconds"})
    processing_time_seconds = fields.Float(required=True, allow_none=True)
    transcription_duration_seconds = fields.Float(required=True, allow_none=True)
    summarization_duration_seconds = fields.Float(required=True, allow_none=True)
    folder_id = fields.Integer(required=True, allow_none=True)
    folder = fields.Nested(FolderRefOut, required=True, allow_none=True)
    deletion_exempt = fields.Boolean(required=True)
    error_message = fields.String(required=True, allow_none=True)
    keep_audio_only = fields.Boolean(required=True)
    language = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Of the transcript: ISO 639-1, or und.", "example": "en"},
    )
    confidence = fields.Float(
        required=True,
        allow_none=True,
        metadata={"description": "Mean of the present segments, 0 to 1.", "example": 0.93},
    )
    tags = bounded(TagRefOut, CAPS[Noun.RECORDING_TAGS])


class RecordingItemOut(RecordingBaseOut):
    """A recording in a list."""

    has_transcription = fields.Boolean(required=True)
    has_summary = fields.Boolean(required=True)


class ListPaginationOut(PaginationOut):
    """The position of a page, and the `cursor` of the next one."""

    page = fields.Integer(required=True, allow_none=True, metadata={"description": "Null with a cursor."})
    next_cursor = fields.String(required=True, allow_none=True)


class RecordingListOut(Wire):
    """A page of recordings."""

    recordings = bounded(RecordingItemOut, MAX_PER_PAGE)
    pagination = fields.Nested(ListPaginationOut, required=True)


class CopyOut(Wire):
    """One of several recordings with the same bytes."""

    id = fields.Integer(required=True)
    title = fields.String(required=True)
    created_at = UtcDateTime(required=True)
    is_self = fields.Boolean(required=True)


class DuplicateInfoOut(Wire):
    """All recordings with the same bytes."""

    total_copies = fields.Integer(required=True)
    copies = bounded(CopyOut, MAX_COPIES)


class CalendarEventOut(Wire):
    """A dated event found in the transcript."""

    id = fields.Integer(required=True)
    recording_id = fields.Integer(required=True)
    title = fields.String(required=True)
    start_datetime = UtcDateTime(required=True)
    end_datetime = UtcDateTime(required=True, allow_none=True)
    description = fields.String(required=True, allow_none=True)
    location = fields.String(required=True, allow_none=True)
    attendees = bounded(fields.String(), MAX_PER_LIST)
    reminder_minutes = fields.Integer(required=True, allow_none=True)
    has_time = fields.Boolean(
        required=True,
        metadata={"description": "False if it begins at midnight because only the day is known."},
    )
    created_at = UtcDateTime(required=True)


class SourcedEventOut(CalendarEventOut, ClaimOut):
    """A dated event with its sources."""

    stale = fields.Boolean(
        required=True,
        metadata={
            "description": "The transcript has changed since the extraction.",
            "example": False,
        },
    )


class CalendarEventListOut(Wire):
    """The dated events of a recording."""

    events = bounded(SourcedEventOut, CAPS[Noun.CALENDAR_EVENTS])


class RecordingDetailOut(RecordingBaseOut, AboutFileOut):
    """A whole recording; `transcription`, `summary` and `notes` on request."""

    mime_type = fields.String(required=True)
    events = bounded(CalendarEventOut, CAPS[Noun.CALENDAR_EVENTS])
    duplicate_info = fields.Nested(DuplicateInfoOut, required=True, allow_none=True)
    transcribed_with = fields.Nested(
        TranscribedWithOut,
        required=True,
        allow_none=True,
        metadata={"description": "Null before the transcript, and for users who are not the owner."},
    )
    quality = fields.Nested(
        QualityOut,
        required=True,
        allow_none=True,
        metadata={"description": "Null before the transcript, and after merging or cutting."},
    )
    transcription = fields.String(allow_none=True)
    summary = fields.String(allow_none=True)
    notes = fields.String(allow_none=True)


_SHORT = validate.Length(max=100)
"""For words and times in a query."""


class RecordingListQuery(Wire):
    """Filters and order of a list."""

    page = fields.Integer(load_default=1, validate=validate.Range(min=1, max=10_000_000))
    per_page = fields.Integer(
        load_default=25,
        validate=validate.Range(min=1, max=1_000_000),
        metadata={"description": f"More than {MAX_PER_PAGE} counts as {MAX_PER_PAGE}."},
    )
    status = fields.String(
        load_default="all",
        validate=_SHORT,
        metadata={
            "description": "all, pending, processing, completed or failed; anything else counts as all."
        },
    )
    sort_by = fields.String(
        load_default="created_at",
        metadata={"description": f"{', '.join(SORT_COLUMNS)}; anything else counts as created_at."},
    )
    sort_order = fields.String(load_default="desc", metadata={"description": "asc, or else desc."})
    date_from = fields.String(
        validate=_SHORT,
        metadata={
            **WHEN,
            "description": "ISO 8601 date or time: created at or after.",
            "example": "2024-01-15",
        },
    )
    date_to = fields.String(
        validate=_SHORT,
        metadata={
            **WHEN,
            "description": "ISO 8601 date or time: created at or before; a date includes that day.",
            "example": "2024-01-31",
        },
    )
    tag_id = fields.Integer(validate=validate.Range(min=1, max=2_147_483_647))
    tag = text(200, metadata={"description": "The name of a tag."})
    folder_id = fields.String(
        validate=[_SHORT, Pattern("^([1-9][0-9]{0,8}|[Nn][Oo][Nn][Ee])$")],
        metadata={
            "description": "A folder's id, or none for recordings in no folder. Needs the folders feature.",
            "example": "none",
        },
    )
    q = Text(metadata={"description": "Part of the title or the participants."})
    search = Text(metadata={"description": "The same as q."})
    inbox = QueryBoolean()
    starred = QueryBoolean()
    language = text(
        16, metadata={"description": "The language of the transcript: ISO 639-1, or und.", "example": "en"}
    )
    updated_since = fields.String(
        validate=_SHORT,
        metadata={
            **WHEN,
            "description": "ISO 8601 date or time: changed at or after.",
            "example": "2024-01-15T09:00:00Z",
        },
    )
    ids = fields.String(
        validate=[validate.Length(max=1_000), Pattern("^[1-9][0-9]{0,8}(,[1-9][0-9]{0,8}){0,99}$")],
        metadata={"description": "Up to 100 ids, separated by commas.", "example": "1,2,3"},
    )
    cursor = fields.String(
        validate=Pattern("^[A-Za-z0-9_-]{1,1000}$"),
        metadata={"description": "The next_cursor of the previous page; `page` is then ignored."},
    )
    shared = QueryBoolean(
        metadata={"description": "true: recordings that other users share with the caller."}
    )


class RecordingDetailQuery(Wire):
    """Which texts to include."""

    format = fields.String(
        load_default="full", metadata={"description": "full, or minimal for no long texts."}
    )
    include = fields.String(
        load_default="transcription,summary,notes",
        metadata={"description": "Comma list of transcription, summary, notes."},
    )


class RecordingUpdateIn(Wire):
    """Fields to change; all optional, unknown ones ignored."""

    title = text(200)
    participants = text(1000, allow_none=True)
    notes = text(LONG_TEXT, allow_none=True)
    summary = text(LONG_TEXT, allow_none=True)
    meeting_date = UtcDateTime(allow_none=True)
    is_inbox = StrictBoolean()
    is_highlighted = StrictBoolean()
    folder_id = an_id(allow_none=True)
    deletion_exempt = StrictBoolean(metadata={"description": "Exempt from retention."})

    @pre_load
    def accept_other_spellings(self, data: object, **_: object) -> object:
        """Accept `note` for `notes`, and an empty meeting date for none, because known clients send them."""
        if isinstance(data, dict):
            data = dict(data)
            if "keep_audio_only" in data:
                raise ValidationError({"keep_audio_only": ["is decided at the upload"]})
            if "note" in data:
                data.setdefault("notes", data.pop("note"))
            if data.get("meeting_date") == "":
                data["meeting_date"] = None
        return data


class RecordingFieldsOut(Wire):
    """The present values of the editable fields."""

    id = fields.Integer(required=True)
    title = fields.String(required=True)
    participants = fields.String(required=True, allow_none=True)
    notes = fields.String(required=True, allow_none=True)
    summary = fields.String(required=True, allow_none=True)
    meeting_date = UtcDateTime(required=True, allow_none=True)
    is_inbox = fields.Boolean(required=True)
    is_highlighted = fields.Boolean(required=True)
    folder_id = fields.Integer(required=True, allow_none=True)
    deletion_exempt = fields.Boolean(required=True)


class RecordingUpdatedOut(Wire):
    """The recording after an update."""

    success = fields.Boolean(required=True)
    recording = fields.Nested(RecordingFieldsOut, required=True)


class StatusOut(Wire):
    """The progress of a recording."""

    id = fields.Integer(required=True)
    status = fields.String(required=True, validate=validate.OneOf(STATUSES))
    queue_position = fields.Integer(required=True, allow_none=True)
    error_message = fields.String(required=True, allow_none=True)
    completed_at = UtcDateTime(required=True, allow_none=True)
    progress = fields.Integer(required=True, metadata={"description": "Percent of the current step."})
    message = fields.String(required=True, allow_none=True)
    error_code = fields.String(required=True, allow_none=True)
    eta_seconds = fields.Integer(
        required=True,
        allow_none=True,
        metadata={
            "description": "Seconds until the transcript; null while it does not run, or the engine has no history.",
            "example": 42,
        },
    )
