"""Stand-ins that satisfy the same Protocols as the real things, for tests that are about something else."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from speakr.connectors.embedding.base import pack
from speakr.connectors.language.base import ChatRequest, ExtractRequest, IdentifyRequest, SummaryRequest
from speakr.connectors.transcription.base import AudioChunk, Capabilities, OnSegment
from speakr.domain.conversation import ChatAnswer
from speakr.domain.insights import Insights
from speakr.domain.jobs import JobKind
from speakr.domain.speakers import Identification
from speakr.domain.statements import Source, Usage
from speakr.domain.summaries import Summary, Title
from speakr.domain.transcript import Hints, Hypothesis, Segment, Word
from speakr.live import LiveMessage, Topic


class MemoryJobNotifier:
    """Remembers which jobs were notified. `run_clip` runs those for which a request waits, at once."""

    def __init__(self) -> None:
        self.notifications: list[tuple[str, int, int]] = []
        self.helper_rings: list[tuple[int, int, int]] = []
        self.ended_chunks: list[int] = []
        self.wakes = 0
        self.run_clip: Callable[[int], None] | None = None

    def notify(self, kind: str, job_id: int, ring_count: int) -> None:
        if kind == JobKind.CLIP and self.run_clip is not None:
            self.run_clip(job_id)
        else:
            self.notifications.append((kind, job_id, ring_count))

    def notify_helpers(self, job_id: int, fence: int, count: int) -> None:
        self.helper_rings.append((job_id, fence, count))

    def chunk_ended(self, job_id: int) -> None:
        self.ended_chunks.append(job_id)

    def wait_for_chunk(self, job_id: int, seconds: float) -> None:
        if job_id in self.ended_chunks:
            self.ended_chunks.remove(job_id)
        else:
            time.sleep(0.02)

    def missing(self, notifications: Sequence[tuple[str, int, int]]) -> list[int]:
        return [
            job_id for kind, job_id, count in notifications if (kind, job_id, count) not in self.notifications
        ]

    def wake_dispatcher(self) -> None:
        self.wakes += 1

    def depth(self) -> int:
        return len(self.notifications)


class MemoryLiveFeed:
    """Keeps messages in a list per topic."""

    def __init__(self) -> None:
        self.messages: dict[Topic, list[LiveMessage]] = defaultdict(list)

    def publish(self, topic: Topic, kind: str, data: dict[str, Any]) -> None:
        known = self.messages[topic]
        known.append(LiveMessage(f"{len(known) + 1}-0", kind, data))

    def read(self, topic: Topic, after: str, wait_seconds: float) -> Sequence[LiveMessage]:
        return self.messages[topic][int(after.partition("-")[0]) :]

    def forget(self, topic: Topic) -> None:
        self.messages.pop(topic, None)


class FakeTranscriber:
    """Says `heard <first>-<last>` for each span; `before` may raise or act on each chunk."""

    name = "fake"
    capabilities = Capabilities(target_chunk_seconds=5, max_chunk_seconds=10)
    default_model: str | None = None
    models: Sequence[str] = ()

    def __init__(self, before: Callable[[AudioChunk], None] | None = None) -> None:
        self.before = before
        self.chunks: list[AudioChunk] = []
        self.hints: list[Hints] = []

    def capabilities_with(self, model: str | None) -> Capabilities:
        return self.capabilities

    def transcribe(self, chunk: AudioChunk, hints: Hints, on_segment: OnSegment) -> Hypothesis:
        if self.before is not None:
            self.before(chunk)
        self.chunks.append(chunk)
        self.hints.append(hints)
        segments = []
        for span in chunk.spans:
            text = f"heard {span.start:.1f}-{span.end:.1f}"
            words = [Word("heard", span.start, span.end, 0.9)]
            segments.append(Segment(span.start, span.end, text, confidence=0.9, words=words))
            on_segment(segments[-1])
        return Hypothesis(segments, language="en")


class FakeEmbedder:
    """Knows a few meanings: words of one line are one direction. `before` may raise or act on each request."""

    name = "fake"
    model = "fake-1"
    MEANINGS = (
        {"dog", "hound", "puppy", "poodle"},
        {"cat", "kitten", "feline"},
        {"money", "budget", "euros", "costs"},
        {"walrus", "seal", "quarterly"},
    )

    def __init__(self) -> None:
        self.before: Callable[[Sequence[str]], None] = lambda _: None
        self.asked: list[list[str]] = []
        self.dimensions = 8

    def embed(self, texts: Sequence[str], *, most_seconds: float | None = None) -> list[bytes]:
        self.before(texts)
        self.asked.append(list(texts))
        return [self._vector(text.lower()) for text in texts]

    def _vector(self, text: str) -> bytes:
        words = [word.strip(".,:;?!") for word in text.split()]
        values = [float(sum(word in meaning for word in words)) for meaning in self.MEANINGS]
        return pack([*values, *[0.01] * (self.dimensions - len(values))])


class FakeWriter:
    """Counts lines, cites the last one, suggests no names; `before` may raise or act on each request except for titles."""

    name = "fake"
    is_extractive = False

    def __init__(
        self, before: Callable[[SummaryRequest | ChatRequest | IdentifyRequest], None] | None = None
    ) -> None:
        self.before = before
        self.requests: list[SummaryRequest] = []
        self.questions: list[ChatRequest] = []
        self.identifications: list[IdentifyRequest] = []
        self.before_title: Callable[[SummaryRequest], None] | None = None
        self.title, self.title_usage = "A written title", Usage()
        self.extractions: list[ExtractRequest] = []
        self.before_extract: Callable[[ExtractRequest], None] | None = None
        self.found: Callable[[ExtractRequest], dict[str, Any]] = lambda _: {}
        self.names: dict[str, str | None] = {}

    def summarize(self, request: SummaryRequest) -> Summary:
        if self.before is not None:
            self.before(request)
        self.requests.append(request)
        return Summary(
            markdown=f"{len(request.lines)} lines",
            engine="fake",
            is_extractive=False,
            lines_read=len(request.lines),
            usage=Usage(10, 5),
        )

    def extract(self, request: ExtractRequest) -> Insights:
        self.extractions.append(request)
        if self.before_extract is not None:
            self.before_extract(request)
        return Insights(
            engine="fake", is_extractive=False, lines_read=len(request.lines), **self.found(request)
        )

    def write_title(self, request: SummaryRequest) -> Title:
        if self.before_title is not None:
            self.before_title(request)
        return Title(text=self.title, usage=self.title_usage)

    def chat(self, request: ChatRequest) -> ChatAnswer:
        if self.before is not None:
            self.before(request)
        self.questions.append(request)
        last = len(request.lines) - 1
        return ChatAnswer(
            text=f"{len(request.lines)} lines [1]",
            sources=[Source(last, request.lines[last].text)],
            engine="fake",
            usage=Usage(20, 3),
            lines_read=len(request.lines),
        )

    def identify_speakers(self, request: IdentifyRequest) -> Identification:
        if self.before is not None:
            self.before(request)
        self.identifications.append(request)
        return Identification(names={**dict.fromkeys(request.labels), **self.names}, usage=Usage(8, 2))
