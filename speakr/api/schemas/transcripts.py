"""Schemas of transcripts, summaries and notes."""

from __future__ import annotations

from marshmallow import fields, validate

from speakr.api.schemas.fields import ClaimOut, Pattern, bounded, text
from speakr.api.schemas.recordings import LONG_TEXT
from speakr.domain.summaries import MAX_LINES
from speakr.domain.transcript_edits import MAX_SEGMENTS, MAX_WORDS
from speakr.services import exports
from speakr.web.wire import Wire

STYLES = ("lines", "paragraphs")


class WordOut(Wire):
    """One word; times in seconds."""

    word = fields.String(required=True)
    start = fields.Float(required=True)
    end = fields.Float(required=True)
    probability = fields.Float(required=True, allow_none=True)
    edited = fields.Boolean(
        metadata={"description": "true: a user wrote it, and its times are estimated. Absent otherwise."}
    )


class SegmentOut(Wire):
    """One segment; times in seconds."""

    id = fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "Permanent: corrections keep it.", "example": 71},
    )
    speaker = fields.String(required=True)
    sentence = fields.String(required=True)
    start_time = fields.Float(required=True)
    end_time = fields.Float(required=True)
    confidence = fields.Float(allow_none=True)
    words_per_minute = fields.Float(allow_none=True)
    overlap = fields.Boolean(
        required=True, metadata={"description": "A segment of another speaker overlaps it in time."}
    )
    words = fields.List(
        fields.Nested(WordOut),
        validate=validate.Length(max=MAX_WORDS),
        metadata={"description": "With words=true only."},
    )


class TranscriptOut(Wire):
    """A transcript: `segments` for json, `content` for the other formats."""

    format = fields.String(required=True)
    revision = fields.Integer(
        metadata={
            "description": "json only: the number of changes of the transcript. Every correction increases it."
        }
    )
    segments = fields.List(fields.Nested(SegmentOut), validate=validate.Length(max=MAX_SEGMENTS))
    content = fields.String()


class TranscriptQuery(Wire):
    """Which format."""

    format = fields.String(
        load_default=exports.DATA,
        metadata={"description": exports.formats_in_words(), "enum": exports.formats()},
    )
    words = fields.String(
        load_default="false", metadata={"description": "true adds words with their times (json)."}
    )
    version = fields.String(
        load_default="current",
        validate=Pattern(r"current|raw|0|[1-9][0-9]{0,8}"),
        metadata={
            "description": "current, raw (as the engine wrote it) or the number of a revision",
            "example": "current",
        },
    )
    style = fields.String(
        load_default=STYLES[0],
        validate=validate.OneOf(STYLES),
        metadata={
            "description": "text only. lines: the owner's template for each segment. paragraphs: without speakers, a"
            " blank line after each long pause; settings define its rules.",
            "example": "paragraphs",
        },
    )
    paragraphs = fields.String(
        load_default="false",
        metadata={
            "description": "true joins what one speaker says to paragraphs, with a blank line between (text)."
        },
    )


class SummaryLineOut(ClaimOut):
    """One line of a summary with its sources."""

    line = fields.Integer(required=True, metadata={"description": "Index of a line of the Markdown, from 0."})
    text = fields.String(required=True)


class SummaryOut(Wire):
    """A summary, if there is one; `sources` are empty after a user has edited it."""

    summary = fields.String(required=True, allow_none=True)
    has_summary = fields.Boolean(required=True)
    sources = bounded(SummaryLineOut, MAX_LINES)
    coverage = fields.Float(
        required=True, allow_none=True, metadata={"description": "Share of segments read for it, 0 to 1."}
    )
    stale = fields.Boolean(
        required=True,
        metadata={"description": "The transcript has changed since.", "example": False},
    )


class NotesOut(Wire):
    """Notes, if there are any."""

    notes = fields.String(required=True, allow_none=True)
    has_notes = fields.Boolean(required=True)


class NotesIn(Wire):
    """New notes."""

    notes = text(
        LONG_TEXT, required=True, allow_none=True, error_messages={"required": "notes field required"}
    )


class SummaryIn(Wire):
    """A new summary."""

    summary = text(
        LONG_TEXT, required=True, allow_none=True, error_messages={"required": "summary field required"}
    )


class NotesSavedOut(Wire):
    """The present notes."""

    success = fields.Boolean(required=True)
    notes = fields.String(required=True, allow_none=True)


class SummarySavedOut(Wire):
    """The present summary."""

    success = fields.Boolean(required=True)
    summary = fields.String(required=True, allow_none=True)
