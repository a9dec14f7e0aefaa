"""Schemas of corrections."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from speakr.api.schemas.fields import StrictBoolean, an_id, bounded, one_of
from speakr.api.schemas.fields import text as bounded_text
from speakr.api.schemas.recordings import LONG_TEXT
from speakr.api.schemas.transcripts import SegmentOut
from speakr.domain.transcript_edits import MAX_SEGMENTS, MAX_WORDS
from speakr.domain.transcript_history import RevisionKind
from speakr.web.wire import UtcDateTime, Wire

MAX_PER_PAGE = 200
MAX_SECONDS = 1_000_000.0
_MAX_INDEX = 2_147_483_647
_SPEAKER: dict[str, Any] = {
    "description": "A label or a name. A name that is new in this recording gets a label of its own.",
    "example": "Jane Smith",
}


def seconds(**kwargs: Any) -> fields.Float:
    """Return a field for a time in seconds."""
    return fields.Float(validate=validate.Range(min=0, max=MAX_SECONDS), **kwargs)


def an_index(**kwargs: Any) -> fields.Integer:
    """Return a field for a position counted from 0."""
    return fields.Integer(strict=True, validate=validate.Range(min=0, max=_MAX_INDEX), **kwargs)


class GivenSegmentIn(Wire):
    """A segment of the new transcript; times in seconds."""

    id = an_id(
        allow_none=True,
        metadata={
            "description": "The id of the present segment that it replaces; omit it for a new one.",
            "example": 71,
        },
    )
    start = seconds(allow_none=True)
    end = seconds(allow_none=True)
    speaker = bounded_text(200, allow_none=True, metadata=_SPEAKER)
    text = bounded_text(LONG_TEXT, required=True, metadata={"example": "Good morning."})


class TranscriptIn(Wire):
    """Either a whole text, or segments."""

    text = bounded_text(LONG_TEXT, metadata={"example": "Good morning. Shall we begin?"})
    segments = fields.List(
        fields.Nested(GivenSegmentIn),
        validate=validate.Length(max=MAX_SEGMENTS),
        metadata={"description": "Instead of text.", "example": [{"id": 71, "text": "Good morning."}]},
    )


class SegmentIn(Wire):
    """Fields of a segment to change; times in seconds."""

    text = bounded_text(LONG_TEXT, metadata={"example": "Good morning."})
    speaker = bounded_text(200, metadata=_SPEAKER)
    start = seconds()
    end = seconds()


class SplitSegmentIn(Wire):
    """Where to split a segment."""

    word = an_index(metadata={"description": "Before this word, counted from 0.", "example": 3})
    time = seconds(metadata={"description": "In seconds, instead of word: between the words around it."})


class SegmentRangeIn(Wire):
    """Consecutive segments, both ends included."""

    first = an_index(required=True, metadata={"example": 0})
    last = an_index(required=True, metadata={"example": 1})


class SegmentSpeakerIn(Wire):
    """The new speaker, and the segments."""

    first = an_index(required=True, metadata={"example": 0})
    last = an_index(metadata={"description": "The last segment; first by default.", "example": 0})
    first_word = an_index(
        metadata={"description": "Only words from this one on, counted from 0 in the segment.", "example": 0}
    )
    last_word = an_index(metadata={"example": 2})
    speaker = bounded_text(200, required=True, metadata=_SPEAKER)


class TranscriptEditedOut(Wire):
    """The result of a correction."""

    success = StrictBoolean(required=True)
    revision = fields.Integer(
        required=True, metadata={"description": "The same number as before if nothing changed.", "example": 3}
    )
    segments_changed = fields.Integer(required=True)
    words_added = fields.Integer(required=True)
    words_removed = fields.Integer(required=True)


class OneSegmentOut(SegmentOut):
    """One segment with its words."""

    segment_index = fields.Integer(required=True, metadata={"description": "Counted from 0.", "example": 0})


class HistoryQuery(Wire):
    """Which page."""

    page = fields.Integer(load_default=1, validate=validate.Range(min=1, max=1_000))
    per_page = fields.Integer(load_default=50, validate=validate.Range(min=1, max=MAX_PER_PAGE))


class RevisionOut(Wire):
    """One change of a transcript."""

    revision = fields.Integer(required=True, metadata={"example": 3})
    kind = one_of(RevisionKind, required=True)
    username = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "The user; null for a transcription, or if the account is deleted."},
    )
    created_at = UtcDateTime(required=True)
    segments_changed = fields.Integer(required=True)
    words_added = fields.Integer(required=True)
    words_removed = fields.Integer(required=True)
    details = fields.Dict(
        keys=fields.String(),
        required=True,
        metadata={
            "description": "restored_revision, or find and replace.",
            "example": {"restored_revision": 1},
        },
    )


class HistoryOut(Wire):
    """The changes of a transcript, newest first."""

    revision = fields.Integer(required=True, metadata={"description": "The current one.", "example": 3})
    undo_to = fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "The revision whose text an undo restores.", "example": 2},
    )
    redo_to = fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "The revision whose text a redo restores.", "example": None},
    )
    total = fields.Integer(required=True)
    revisions = bounded(RevisionOut, MAX_PER_PAGE)


class SpokenOut(Wire):
    """Speaker and text of a segment."""

    speaker = fields.String(required=True)
    sentence = fields.String(required=True)
    start_time = fields.Float(required=True)
    end_time = fields.Float(required=True)


class WordChangeOut(Wire):
    """Consecutive words."""

    change = fields.String(required=True, validate=validate.OneOf(["equal", "insert", "delete"]))
    text = fields.String(required=True, metadata={"example": "Good morning."})


class SegmentsChangeOut(Wire):
    """Consecutive segments that a revision changed."""

    segment_index = fields.Integer(
        required=True, metadata={"description": "Of the first, in the later text.", "example": 0}
    )
    before = bounded(SpokenOut, MAX_SEGMENTS)
    after = bounded(SpokenOut, MAX_SEGMENTS)
    words = bounded(WordChangeOut, MAX_WORDS)


class RevisionDiffOut(Wire):
    """What a revision changed."""

    revision = fields.Integer(required=True, metadata={"example": 3})
    changes = bounded(SegmentsChangeOut, MAX_SEGMENTS)


class ReplaceIn(Wire):
    """What to find and replace, and where: in recordings, or in all with a tag or in a folder."""

    find = bounded_text(200, required=True, metadata={"example": "Miss Austin"})
    replace = bounded_text(500, required=True, metadata={"example": "Miss Austen"})
    match_case = StrictBoolean(load_default=False)
    whole_words = StrictBoolean(load_default=True)
    preview = StrictBoolean(
        load_default=True, metadata={"description": "false replaces; true only shows the result."}
    )
    recording_ids = fields.List(
        an_id(),
        validate=validate.Length(min=1, max=1_000),
        metadata={
            "description": "Ids of recordings, also of shared ones that you may edit.",
            "example": [1, 2],
        },
    )
    tag_id = an_id(metadata={"description": "Your own recordings with this tag, instead.", "example": 1})
    folder_id = an_id(metadata={"description": "Your own recordings in this folder, instead.", "example": 1})
    after_id = fields.Integer(
        strict=True,
        load_default=0,
        validate=validate.Range(min=0, max=_MAX_INDEX),
        metadata={"description": "Continue after this recording: next_after of the previous response."},
    )


class ReplaceExampleOut(Wire):
    """A match."""

    segment_index = fields.Integer(required=True, metadata={"example": 1})
    start_time = fields.Float(required=True)
    before = fields.String(required=True, metadata={"example": "Hello Miss Austin here."})
    after = fields.String(required=True, metadata={"example": "Hello Miss Austen here."})


class ReplacedRecordingOut(Wire):
    """The matches in a recording."""

    id = fields.Integer(required=True)
    title = fields.String(required=True, allow_none=True)
    matches = fields.Integer(required=True)
    examples = fields.List(fields.Nested(ReplaceExampleOut), required=True)
    revision = fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "Of the transcript after the change.", "example": 3},
    )
    error = fields.String(required=True, allow_none=True, metadata={"example": None})


class ReplacedOut(Wire):
    """The matches by recording, in the order of ids; recordings without one are left out."""

    preview = StrictBoolean(required=True)
    matches = fields.Integer(required=True)
    recordings = fields.List(fields.Nested(ReplacedRecordingOut), required=True)
    next_after = fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "There may be more: send it as after_id.", "example": None},
    )
