"""Schemas of questions, titles and suggested names."""

from __future__ import annotations

from collections.abc import Mapping

from marshmallow import fields, pre_load, validate

from speakr.api.schemas.fields import NOT_BLANK, SegmentSourceOut, StrictBoolean, an_id, text
from speakr.api.schemas.recordings import STATUSES, RecordingListQuery
from speakr.domain.conversation import Role
from speakr.domain.search import Mode
from speakr.web.wire import Wire

MAX_MESSAGE_LENGTH = 20_000
MAX_TURN_LENGTH = 100_000
MAX_TURNS = 100


class TurnIn(Wire):
    """An earlier message of the conversation."""

    role = fields.String(required=True, validate=validate.OneOf([role.value for role in Role]))
    content = text(
        MAX_TURN_LENGTH, required=True, metadata={"description": "`text` is accepted for `content` too."}
    )

    @pre_load
    def accept_text(self, data: object, **_: object) -> object:
        """Accept `text` for `content`, because known clients send it."""
        if isinstance(data, dict) and "text" in data:
            return {"content": data["text"], **data}
        return data


class ChatIn(Wire):
    """A question, and the earlier conversation."""

    message = text(MAX_MESSAGE_LENGTH, required=True, metadata=NOT_BLANK)
    conversation_history = fields.List(
        fields.Nested(TurnIn),
        load_default=list,
        allow_none=True,
        validate=validate.Length(max=MAX_TURNS),
        metadata={"description": "Oldest first."},
    )

    @pre_load
    def accept_silence(self, data: object, **_: object) -> object:
        """Treat a missing message as an empty one, so that both get the same error."""
        if isinstance(data, Mapping) and data.get("message") is None:
            return {**data, "message": ""}
        return data


class ChatOut(Wire):
    """An answer in Markdown; `[1]` in it is the first source."""

    response = fields.String(required=True)
    sources = fields.List(fields.Nested(SegmentSourceOut), required=True)
    unverified = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "Statements of the answer that its sources do not support."},
    )
    coverage = fields.Float(required=True, metadata={"description": "Share of segments read, 0 to 1."})


class LibraryChatIn(ChatIn, RecordingListQuery):
    """A question about all recordings you may see, or those that match the filters."""

    class Meta(RecordingListQuery.Meta):
        """Options of marshmallow."""

        exclude = ("page", "per_page", "sort_by", "sort_order", "q", "search", "cursor", "shared")

    # JSON has types, a query string has not.
    tag_id = an_id()
    inbox = StrictBoolean()  # type: ignore[assignment] # a schema may read a field in its own way
    starred = StrictBoolean()  # type: ignore[assignment] # as above


class LibrarySourceOut(SegmentSourceOut):
    """A passage of one of the recordings."""

    recording_id = fields.Integer(required=True)
    recording_title = fields.String(required=True)


class LibraryChatOut(Wire):
    """An answer in Markdown; `[1]` in it is the first source."""

    response = fields.String(required=True)
    sources = fields.List(fields.Nested(LibrarySourceOut), required=True)
    unverified = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "Statements of the answer that its sources do not support."},
    )
    mode_used = fields.String(
        required=True,
        validate=validate.OneOf([Mode.WORDS.value, Mode.HYBRID.value]),
        metadata={
            "description": "How passages were searched: hybrid with an embedding model, words without."
        },
    )


class TitledRecordingOut(Wire):
    """A recording and its new title."""

    id = fields.Integer(required=True)
    title = fields.String(required=True)
    participants = fields.String(required=True, allow_none=True)
    status = fields.String(required=True, validate=validate.OneOf(STATUSES))


class TitleOut(Wire):
    """The present title."""

    success = fields.Boolean(required=True)
    title = fields.String(required=True)
    recording = fields.Nested(TitledRecordingOut, required=True)


class SuggestedNamesOut(Wire):
    """A name for each label, empty where none is clear."""

    success = fields.Boolean(required=True)
    speaker_map = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
