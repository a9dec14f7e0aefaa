"""The border through which all text of engines and models enters: connectors that clean what others return.

`Backends` wraps each engine in one of these, so no connector needs to clean anything itself, and none can forget it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum
from typing import Any, TypeVar

from speakr.connectors.language.base import (
    ChatRequest,
    ExtractRequest,
    IdentifyRequest,
    LanguageConnector,
    SummaryRequest,
)
from speakr.connectors.transcription.base import (
    AudioChunk,
    Capabilities,
    ChunkContext,
    OnSegment,
    TranscriptionConnector,
)
from speakr.domain import languages
from speakr.domain.conversation import ChatAnswer
from speakr.domain.errors import SpeakrError
from speakr.domain.foreign_text import clean_line, clean_text
from speakr.domain.harmless_markdown import harmless
from speakr.domain.insights import Insights
from speakr.domain.non_speech import is_spoken
from speakr.domain.speakers import Identification
from speakr.domain.summaries import Summary, Title
from speakr.domain.transcript import UNDETERMINED, Hints, Hypothesis, Segment, Word

MAX_SEGMENT_LENGTH = 50_000
MAX_WORD_LENGTH = 500
MAX_LABEL_LENGTH = 100
MAX_DOCUMENT_LENGTH = 200_000
"""Characters of a summary or an answer."""
MAX_STATEMENT_LENGTH = 5_000
"""Characters of a title, a key point, a name and so on."""
MAX_ERROR_LENGTH = 500

_VERBATIM = frozenset({"quote"})
"""Fields with words of the transcript, which were cleaned when it was transcribed and must still match it."""

Result = TypeVar("Result")


class CleanTranscriber:
    """A transcription engine whose results are clean."""

    def __init__(self, engine: TranscriptionConnector) -> None:
        self._engine = engine
        self.name = engine.name
        self.capabilities = engine.capabilities
        self.default_model = engine.default_model
        self.models = engine.models

    def capabilities_with(self, model: str | None) -> Capabilities:
        """Return the capabilities with this model."""
        return self._engine.capabilities_with(model)

    def transcribe(self, chunk: AudioChunk, hints: Hints, on_segment: OnSegment) -> Hypothesis:
        """Transcribe a chunk, clean each segment and each note, and leave out segments that are no speech.

        Raises what the engine raises, with a clean message.
        """
        piece = dataclasses.replace(chunk, context=_CleanContext(chunk.context))

        def publish(segment: Segment) -> None:
            if is_spoken(segment, chunk.spans):
                on_segment(clean_segment(segment))

        with _clean_errors():
            found = self._engine.transcribe(piece, hints, publish)
        spoken = [
            segment
            for segment in found.segments
            if is_spoken(segment, chunk.spans, times_estimated=found.times_estimated)
        ]
        return dataclasses.replace(
            found,
            segments=tuple(map(clean_segment, spoken)),
            language=_language(found.language),
        )


def _language(named: str | None) -> str | None:
    """Return the code of a language that an engine names; `und` stays: the engine found speech that it does not know."""
    return UNDETERMINED if named == UNDETERMINED else languages.code_of(named)


class _CleanContext(ChunkContext):
    """Passes on notes of an engine, cleaned, because they are stored."""

    def __init__(self, context: ChunkContext) -> None:
        self._context = context
        self.note = context.note

    def keep(self, note: Mapping[str, Any] | None) -> None:
        self.note = None if note is None else _cleaned(note, _one_line)
        self._context.keep(self.note)

    def recall(self, name: str) -> str | None:
        return self._context.recall(name)

    def remember(self, name: str, value: str, seconds: float) -> None:
        self._context.remember(name, value, seconds)

    def heartbeat(self) -> None:
        self._context.heartbeat()


def clean_segment(segment: Segment) -> Segment:
    """Return a segment with a clean text, speaker label and words; words without any character left are dropped."""
    words = (dataclasses.replace(word, text=clean_line(word.text, MAX_WORD_LENGTH)) for word in segment.words)
    return dataclasses.replace(
        segment,
        text=clean_text(segment.text, MAX_SEGMENT_LENGTH),
        speaker=clean_line(segment.speaker, MAX_LABEL_LENGTH),
        words=_with_text(words, segment.words),
    )


def _with_text(words: Iterator[Word], before: Sequence[Word]) -> tuple[Word, ...]:
    return tuple(word for word, old in zip(words, before, strict=True) if word.text or not old.text)


class CleanWriter:
    """A language engine whose results are clean, with harmless Markdown."""

    def __init__(self, engine: LanguageConnector) -> None:
        self._engine = engine
        self.name = engine.name
        self.is_extractive = engine.is_extractive

    def summarize(self, request: SummaryRequest) -> Summary:
        """Summarise a transcript."""
        with _clean_errors():
            summary = self._engine.summarize(request)
        markdown = _document(summary.markdown)
        line_count = markdown.count("\n") + 1
        cleaned: Summary = _cleaned(summary, _statement)
        return dataclasses.replace(
            cleaned,
            markdown=markdown,
            evidence={
                line: _cleaned(claim, _statement)
                for line, claim in summary.evidence.items()
                if line < line_count
            },
        )

    def write_title(self, request: SummaryRequest) -> Title:
        """Write a title."""
        return self._clean(lambda: self._engine.write_title(request))

    def extract(self, request: ExtractRequest) -> Insights:
        """Find key points, action items, chapters, topics and dated events."""
        return self._clean(lambda: self._engine.extract(request))

    def chat(self, request: ChatRequest) -> ChatAnswer:
        """Answer a question. The whole answer is cleaned at once, so no link can be split."""
        with _clean_errors():
            answer = self._engine.chat(request)
        cleaned: ChatAnswer = _cleaned(answer, _statement)
        return dataclasses.replace(cleaned, text=_document(answer.text))

    def identify_speakers(self, request: IdentifyRequest) -> Identification:
        """Find out which names belong to the labels."""
        return self._clean(lambda: self._engine.identify_speakers(request))

    @staticmethod
    def _clean(work: Callable[[], Result]) -> Result:
        with _clean_errors():
            result = work()
        cleaned: Result = _cleaned(result, _statement)
        return cleaned


def _document(markdown: str) -> str:
    """Clean a Markdown text; the number of its lines stays, because sources are kept by line."""
    lines = (clean_text(line, MAX_DOCUMENT_LENGTH).replace("\n", " ") for line in markdown.split("\n"))
    return harmless("\n".join(lines)[:MAX_DOCUMENT_LENGTH])


def _statement(text: str) -> str:
    return harmless(_one_line(text))


def _one_line(text: str) -> str:
    return clean_line(text, MAX_STATEMENT_LENGTH)


def _cleaned(value: Any, clean: Callable[[str], str]) -> Any:
    """Return a copy of a value with each text in it cleaned, down to the fields of dataclasses; keys stay."""
    if isinstance(value, str):
        return value if isinstance(value, Enum) else clean(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [field.name for field in dataclasses.fields(value) if field.name not in _VERBATIM]
        return dataclasses.replace(value, **{name: _cleaned(getattr(value, name), clean) for name in fields})
    if isinstance(value, list | tuple):
        return type(value)(_cleaned(each, clean) for each in value)
    if isinstance(value, Mapping):
        return {key: _cleaned(each, clean) for key, each in value.items()}
    return value


@contextmanager
def _clean_errors() -> Iterator[None]:
    """Clean the messages of errors: users read them, and jobs store them."""
    try:
        yield
    except SpeakrError as error:
        error.message = clean_line(error.message, MAX_ERROR_LENGTH)
        raise
