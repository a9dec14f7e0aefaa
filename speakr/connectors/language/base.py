"""The interface of language engines. What they answer with is in `speakr.domain`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from speakr.domain.conversation import ChatAnswer, ChatMessage
from speakr.domain.insights import Insights
from speakr.domain.speakers import Identification
from speakr.domain.statements import NumberedLine
from speakr.domain.summaries import Summary, Title


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
class Sampling:
    """How an answer is generated; None leaves it to the model. Engines without a model ignore it.

    temperature: 0 to 2. max_tokens: the answer is cut there, and never longer than the engine allows.
    """

    temperature: float | None = None
    max_tokens: int | None = None


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
    sampling: Sampling = Sampling()


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
class IdentifyRequest:
    """A whole transcript whose lines bear speaker labels, the labels in question, and the names of people one knows."""

    lines: Sequence[NumberedLine]
    labels: Sequence[str]
    known_names: Sequence[str] = ()


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
