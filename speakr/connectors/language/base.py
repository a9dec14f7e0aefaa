"""The interface of language engines: summaries, titles, insights, answers to questions, names of speakers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from speakr.domain.conversation import ChatMessage


@dataclass(frozen=True, slots=True)
class NumberedLine:
    """One segment as a language engine reads it; `start` and `end` in seconds."""

    speaker: str
    text: str
    start: float
    end: float | None = None
    origin: str = ""
    """The recording of the line, if there are lines of several."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the provider counts them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def total(self) -> int:
        """Return the tokens that count towards a budget."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt_tokens + other.prompt_tokens, self.completion_tokens + other.completion_tokens
        )


@dataclass(frozen=True, slots=True)
class Source:
    """Where a statement comes from: the position of a line in the request, and words of that line as they stand there."""

    line: int
    quote: str


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement, its source lines, and whether these support it."""

    text: str
    sources: Sequence[Source] = ()
    is_verified: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryRequest:
    """A whole transcript and how to summarise it.

    `language` is the ISO 639-1 code to write in, if asked for; `spoken_language` the one that is spoken, if known.
    """

    lines: Sequence[NumberedLine]
    instructions: str | None = None
    language: str | None = None
    spoken_language: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A summary in Markdown, and how it was made."""

    markdown: str
    engine: str
    is_extractive: bool
    lines_read: int
    """Number of the request's lines that the engine has read."""
    usage: Usage = field(default_factory=Usage)
    evidence: Mapping[int, Statement] = field(default_factory=dict)
    """Evidence for each line of the Markdown (from 0) that makes a statement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Title:
    """A short title, one line, at most 120 characters; empty when nothing sensible can be said."""

    text: str
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """A whole transcript, a question about it, and what was asked and answered before, oldest first.

    Or passages of several transcripts: then every line that says something tells its `origin`.

    `language` is the ISO 639-1 code to answer in, if asked for. `notes` is what is known of the recording
    besides: its title, its date, its owner's notes.
    """

    lines: Sequence[NumberedLine]
    question: str
    history: Sequence[ChatMessage] = ()
    language: str | None = None
    notes: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatAnswer:
    """Markdown, in which `[1]` stands for the first of the sources and so on."""

    text: str
    sources: Sequence[Source]
    engine: str
    usage: Usage = field(default_factory=Usage)
    lines_read: int = 0
    unverified: Sequence[str] = ()
    """Statements of the answer that its sources do not support."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractRequest:
    """A whole transcript to take apart.

    `moment` is when it was recorded, in the time zone of those who speak: «tomorrow» is counted from it. `language`
    is the ISO 639-1 code to write in, if asked for; `spoken_language` the one that is spoken, if known.
    """

    lines: Sequence[NumberedLine]
    moment: datetime
    language: str | None = None
    spoken_language: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionItem:
    """A task of a person. `due` is the spoken date, `due_at` the resolved time if it is clear."""

    claim: Statement
    owner: str | None = None
    due: str | None = None
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Chapter:
    """A stretch of the recording about one subject; `line` is the position of its first line."""

    title: str
    line: int


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic, and its sources."""

    name: str
    sources: Sequence[Source]
    is_verified: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class DatedEvent:
    """A spoken appointment. Without a time of day it begins at midnight and `has_time` is False."""

    claim: Statement
    start: datetime
    end: datetime | None = None
    has_time: bool = True
    location: str | None = None
    attendees: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Insights:
    """Insights and dated events of a transcript; `lines_read` as for summaries."""

    engine: str
    is_extractive: bool
    lines_read: int
    key_points: Sequence[Statement] = ()
    action_items: Sequence[ActionItem] = ()
    chapters: Sequence[Chapter] = ()
    topics: Sequence[Topic] = ()
    events: Sequence[DatedEvent] = ()
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifyRequest:
    """A whole transcript whose lines bear speaker labels, the labels in question, and the names of people one knows."""

    lines: Sequence[NumberedLine]
    labels: Sequence[str]
    known_names: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Identification:
    """A name, or None, for every label asked for. Each name is spoken in the recording or was known before."""

    names: Mapping[str, str | None]
    usage: Usage = field(default_factory=Usage)


class LanguageConnector(Protocol):
    """One language engine.

    All methods raise `ConnectorRejected` when asking again cannot help and `ConnectorUnavailable` when it may;
    either tells in `tokens_spent` what was used until then.
    """

    name: str
    is_extractive: bool

    def summarize(self, request: SummaryRequest) -> Summary:
        """Summarise the whole transcript, in parts when it is longer than one request may be."""
        ...

    def write_title(self, request: SummaryRequest) -> Title:
        """Write a title."""
        ...

    def extract(self, request: ExtractRequest) -> Insights:
        """Find key points, action items, chapters, topics and dated events in the whole transcript."""
        ...

    def chat(self, request: ChatRequest) -> ChatAnswer:
        """Answer a question out of the whole transcript. Raise `Invalid` for a question too long to be asked."""
        ...

    def identify_speakers(self, request: IdentifyRequest) -> Identification:
        """Find out which names belong to the labels."""
        ...
