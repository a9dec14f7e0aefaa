"""Schemas of searches."""

from __future__ import annotations

from marshmallow import fields, validate

from speakr.api.schemas.fields import NOT_BLANK, REQUIRED, Text, bounded
from speakr.api.schemas.recordings import MAX_PER_PAGE, RecordingItemOut, RecordingListQuery
from speakr.domain.search import MAX_QUESTION_LENGTH, MAX_TERMS, Field, Mode
from speakr.services.search.by_words import COUNTED
from speakr.services.search.matching import MAX_MATCHES
from speakr.web.wire import Wire

BIGGEST_PAGE = 100_000


class SearchQuery(RecordingListQuery):
    """What to search for, where, and in which recordings: the filters are those of the list."""

    class Meta(RecordingListQuery.Meta):
        """Options of marshmallow."""

        exclude = ("sort_by", "sort_order", "search", "cursor", "shared")

    # `q` is checked where it is read: an empty one is refused too.
    q = Text(
        load_default="",
        metadata={
            **REQUIRED,
            **NOT_BLANK,
            "maxLength": MAX_QUESTION_LENGTH,
            "description": (
                'Words, all of which must be there; "phrases", -exclusions and beginnings*. '
                f"At most {MAX_QUESTION_LENGTH} characters and {MAX_TERMS} words and phrases. Required."
            ),
            "example": '"quarterly budget" berlin -draft',
        },
    )
    field = fields.Enum(
        Field, by_value=fields.String, metadata={"description": "Which texts to search; all by default."}
    )
    mode = fields.Enum(
        Mode,
        by_value=fields.String,
        load_default=Mode.WORDS,
        metadata={
            "description": (
                "words, newest first; meaning: the nearest passages of transcripts, best first; hybrid: both together. "
                "All but words need an embedding model on the server."
            )
        },
    )
    page = fields.Integer(load_default=1, validate=validate.Range(min=1, max=BIGGEST_PAGE))
    per_page = fields.Integer(load_default=20, validate=validate.Range(min=1, max=MAX_PER_PAGE))


class MatchOut(Wire):
    """A passage that matches."""

    field = fields.String(required=True, validate=validate.OneOf([field.value for field in Field]))
    snippet = fields.String(
        required=True,
        metadata={"description": "Text with HTML escaped and the matches in <mark>."},
    )
    segment_id = fields.Integer(
        required=True, allow_none=True, metadata={"description": "Of a transcript; null in other texts."}
    )
    start_time = fields.Float(required=True, allow_none=True, metadata={"description": "Seconds"})
    end_time = fields.Float(required=True, allow_none=True, metadata={"description": "Seconds"})
    speaker = fields.String(required=True, allow_none=True)


class SearchResultOut(Wire):
    """A recording that matches."""

    recording = fields.Nested(RecordingItemOut, required=True)
    matches = bounded(MatchOut, MAX_MATCHES)


class SearchPaginationOut(Wire):
    """The position of a page of results."""

    page = fields.Integer(required=True)
    per_page = fields.Integer(required=True)
    total = fields.Integer(required=True, metadata={"description": f"Counted up to {COUNTED}."})
    total_is_exact = fields.Boolean(
        required=True, metadata={"description": f"false: there are more than {COUNTED}."}
    )
    total_pages = fields.Integer(
        required=True, allow_none=True, metadata={"description": "null when the total is not exact."}
    )
    has_next = fields.Boolean(required=True)
    has_prev = fields.Boolean(required=True)


class SearchOut(Wire):
    """A page of results, newest recordings first; in other modes the best first."""

    results = bounded(SearchResultOut, MAX_PER_PAGE)
    mode_used = fields.String(
        required=True,
        validate=validate.OneOf([mode.value for mode in Mode]),
        metadata={"description": "words although hybrid was requested: the embedding model is unavailable."},
    )
    pagination = fields.Nested(SearchPaginationOut, required=True)
