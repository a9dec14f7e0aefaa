"""JSON bodies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from marshmallow import Schema, fields, validate

from speakr.domain.conversation import ChatMessage, Role
from speakr.domain.errors import Invalid
from speakr.domain.posted_texts import (
    MAX_SEGMENTS,
    MAX_TEXT_LENGTH,
    MAX_WORDS,
    SummaryFormat,
    lines_of_segments,
    lines_of_text,
)
from speakr.domain.statements import NumberedLine
from speakr.offload import run_cpu
from speakr.web import bounds
from speakr.web.arguments import Parser
from speakr.web.body import set_body_limit
from speakr.web.wire import Wire

View = TypeVar("View", bound=Callable[..., Any])

_parser = Parser()
_SEGMENT_LENGTH = validate.Length(max=20_000)
_SHORT = validate.Length(max=200)
_ROLES = ("user", "assistant", "system")
_MAX_MESSAGES = 100


def takes(schema: type[Schema]) -> Callable[[View], View]:
    """Parse the JSON body of a view with a schema; the view gets it first."""

    def decorate(view: View) -> View:
        parsed: Any = _parser.use_args(schema(), location="json")(view)
        set_body_limit(parsed, bounds.of(schema()).max_bytes)
        parsed.body = schema  # for the document
        made: View = parsed
        return made

    return decorate


class PostedSegment(Wire):
    """A segment of a posted transcript; times in seconds."""

    start = fields.Float(load_default=None, allow_none=True)
    end = fields.Float(load_default=None, allow_none=True)
    text = fields.String(required=True, validate=_SEGMENT_LENGTH)
    speaker = fields.String(load_default=None, allow_none=True, validate=_SHORT)


class PostedText(Wire):
    """A transcript, or its text."""

    transcript = fields.List(
        fields.Nested(PostedSegment),
        load_default=None,
        allow_none=True,
        validate=validate.Length(max=MAX_SEGMENTS),
    )
    full_text = fields.String(
        load_default=None, allow_none=True, validate=validate.Length(max=MAX_TEXT_LENGTH)
    )
    model_name = fields.String(load_default=None, allow_none=True, validate=_SHORT)


class SummaryIn(PostedText):
    """A text to summarise; `max_length` counts words."""

    max_length = fields.Integer(load_default=500, validate=validate.Range(min=1, max=MAX_WORDS))
    format = fields.Enum(SummaryFormat, by_value=True, load_default=SummaryFormat.PARAGRAPH)


class MessageIn(Wire):
    """A message of a conversation."""

    role = fields.String(required=True, validate=validate.OneOf(_ROLES))
    content = fields.String(required=True, validate=_SEGMENT_LENGTH)


class ChatIn(PostedText):
    """A conversation about a text. The model decides what is not given."""

    messages = fields.List(
        fields.Nested(MessageIn), required=True, validate=validate.Length(min=1, max=_MAX_MESSAGES)
    )
    temperature = fields.Float(load_default=None, allow_none=True, validate=validate.Range(min=0, max=2))
    max_tokens = fields.Integer(load_default=None, allow_none=True, validate=validate.Range(min=1))


class RangeIn(Wire):
    """A range of an uploaded file, in seconds."""

    segment_id = fields.String(required=True, validate=_SHORT)
    start_time = fields.Float(required=True)
    end_time = fields.Float(required=True)
    model_name = fields.String(load_default=None, allow_none=True, validate=_SHORT)
    language = fields.String(load_default=None, allow_none=True, validate=_SHORT)


def lines_of(body: dict[str, Any]) -> list[NumberedLine]:
    """Return the posted text; the segments count if both are there."""
    if body["transcript"]:
        return run_cpu(lambda: lines_of_segments(body["transcript"]))
    return run_cpu(lambda: lines_of_text(body["full_text"] or ""))


def sampling_of(body: dict[str, Any]) -> dict[str, Any]:
    """Return how the answer is generated."""
    return {name: body[name] for name in ("temperature", "max_tokens")}


def conversation_of(body: dict[str, Any]) -> tuple[str, list[ChatMessage], str | None]:
    """Return the question, the messages before it, and what the system messages say."""
    said = [each for each in body["messages"] if each["role"] != "system"]
    if not said or said[-1]["role"] != Role.USER or not said[-1]["content"].strip():
        raise Invalid("The last message must be a question of the user.")
    history = [ChatMessage(Role(each["role"]), each["content"]) for each in said[:-1]]
    notes = "\n".join(each["content"] for each in body["messages"] if each["role"] == "system")
    return said[-1]["content"], history, notes or None
