"""Summaries, titles, answers and the names of speakers by any server that speaks OpenAI's `POST /chat/completions`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Self

from speakr.connectors.language.base import (
    ChatRequest,
    ExtractRequest,
    IdentifyRequest,
    Sampling,
    SummaryRequest,
)
from speakr.connectors.language.chat import SERVICE, ChatModel, Conversation
from speakr.connectors.language.citations import number_lines, resolve_citations
from speakr.connectors.language.compact import numbers_of, write_compactly
from speakr.connectors.language.evidence import Evidence, count_read
from speakr.connectors.language.insight_answers import Found, FoundInsights, read_answer
from speakr.connectors.language.insight_prompts import insight_messages
from speakr.connectors.language.lines import one_line, write_line
from speakr.connectors.language.map_reduce import (
    OutOfRoom,
    Stage,
    estimate_tokens,
    read_in_parts,
    write_in_parts,
)
from speakr.connectors.language.prompts import Messages, summary_messages, title_messages
from speakr.connectors.language.question_prompts import NOTHING_FOUND, newest_that_fit, question_messages
from speakr.connectors.language.speaker_names import SpokenNames
from speakr.connectors.language.speaker_prompts import read_names, speaker_messages
from speakr.connectors.language.summary_evidence import separate, unproven
from speakr.connectors.language.titles import clean_title, shorten, take_excerpt
from speakr.connectors.openai_access import OpenAIAccess
from speakr.domain.conversation import ChatAnswer
from speakr.domain.errors import ConnectorRejected, Invalid
from speakr.domain.insights import Insights
from speakr.domain.speakers import Identification
from speakr.domain.statements import NumberedLine
from speakr.domain.summaries import Summary, Title
from speakr.settings import Settings

TRIES_PER_PART = 2
"""How often a model is asked about a part before the part counts as unread, if it does not answer in JSON."""
MAX_ANSWER_TOKENS = 2000
MIN_ROOM_TOKENS = 200
TITLE_TOKENS = 3000
"""A title does not get better by reading more than this."""
MAX_NOTES_LENGTH = 4000
"""In characters: what is known of a recording besides its transcript must not crowd that out."""


class OpenAILanguageConnector:
    """Ask a chat model; a transcript longer than its context is summarised in parts."""

    name = "openai"
    is_extractive = False

    def __init__(self, access: OpenAIAccess, *, model: str, context_tokens: int) -> None:
        self._timeout_seconds = access.timeout_seconds
        self._chat = ChatModel(access, model)
        self._model = model
        self._context_tokens = context_tokens

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Make the connector the operator configured; nothing is contacted."""
        access = OpenAIAccess(
            base_url=settings.llm_base_url,
            api_key=settings.llm_api_key,
            timeout_seconds=settings.llm_timeout_seconds,
        )
        return cls(access, model=settings.llm_model, context_tokens=settings.llm_context_tokens)

    def summarize(self, request: SummaryRequest) -> Summary:
        """Summarise all lines. A transcript without words gives an empty summary, without a request."""
        read: set[int] = set()
        with Conversation(self._chat) as conversation:
            written = self._write_summary(request, conversation, read) if _has_words(request.lines) else ""
        markdown, evidence = separate(written, _evidence_for(request))
        return Summary(
            markdown=markdown,
            evidence=evidence,
            engine=f"{self.name}/{self._model}",
            is_extractive=False,
            lines_read=count_read(read, request.lines),
            usage=conversation.usage,
        )

    def _write_summary(self, request: SummaryRequest, conversation: Conversation, read: set[int]) -> str:
        messages = partial(summary_messages, instructions=request.instructions, language=request.language)
        room_tokens = self._room(*(messages(stage, "") for stage in Stage))
        if room_tokens < MIN_ROOM_TOKENS:
            raise ConnectorRejected(
                "The summary instructions leave no room for the transcript. "
                "Shorten them, or raise TEXT_MODEL_CONTEXT_TOKENS."
            )

        def write(stage: Stage, text: str) -> str:
            written = conversation.ask(messages(stage, text))
            if stage in {Stage.WHOLE, Stage.PART}:
                read.update(numbers_of(text))
            return written

        with _enough_room():
            return write_in_parts(number_lines(request.lines), write, room_tokens)

    def extract(self, request: ExtractRequest) -> Insights:
        """Ask about each part of the transcript, then check what is said to be in it and put it together."""
        read: set[int] = set()
        parts: list[Found] = []
        with Conversation(self._chat) as conversation:
            if _has_words(request.lines):
                self._read_parts(request, conversation, read, parts)
        found = FoundInsights(request, parts)
        return Insights(
            key_points=found.key_points(),
            action_items=found.action_items(),
            chapters=found.chapters(),
            topics=found.topics(),
            events=found.events(),
            engine=f"{self.name}/{self._model}",
            is_extractive=False,
            lines_read=count_read(read, request.lines),
            usage=conversation.usage,
        )

    def _read_parts(
        self, request: ExtractRequest, conversation: Conversation, read: set[int], parts: list[Found]
    ) -> None:
        """Collect what the model finds, and the positions of the lines it has answered for."""
        legend, texts = write_compactly(request.lines)
        messages = partial(insight_messages, moment=request.moment, language=request.language)

        def find(text: str) -> str:
            for _ in range(TRIES_PER_PART):
                found = read_answer(conversation.ask(messages(f"{legend}\n{text}")))
                if found is not None:
                    read.update(numbers_of(text))
                    parts.append(found)
                    break
            return ""

        with _enough_room():
            read_in_parts(texts, find, max(self._room(messages(legend)), MIN_ROOM_TOKENS))
        if not parts:
            # Not ConnectorUnavailable: it has been asked again already, and each time costs as much.
            raise ConnectorRejected(
                f"{SERVICE} did not answer in JSON. Choose a model that can, to find key points and events."
            )

    def write_title(self, request: SummaryRequest) -> Title:
        """Write a title from the whole transcript, or from its beginning, middle and end if it is long."""
        if not _has_words(request.lines):
            return Title(text="")
        room_tokens = self._room(title_messages("", is_excerpt=True, language=request.language))
        texts = [write_line(line) for line in request.lines]
        excerpt = take_excerpt(texts, max(MIN_ROOM_TOKENS, min(room_tokens, TITLE_TOKENS)))
        with Conversation(self._chat) as conversation, _enough_room():
            answer = conversation.ask(
                title_messages("\n".join(excerpt), is_excerpt=excerpt != texts, language=request.language)
            )
        return Title(text=clean_title(answer), usage=conversation.usage)

    def chat(self, request: ChatRequest) -> ChatAnswer:
        """Answer out of the whole transcript: at once if it fits, else out of notes on its parts."""
        ask = partial(
            question_messages,
            question=request.question,
            language=request.language,
            is_of_many=any(line.origin for line in request.lines),
        )
        history = newest_that_fit(request.history, self._context_tokens // 4)
        if self._room(*(ask(stage, "", history=history) for stage in Stage)) < MIN_ROOM_TOKENS:
            history = []
        room_tokens = self._room(*(ask(stage, "", history=history) for stage in Stage))
        if room_tokens < MIN_ROOM_TOKENS:
            raise Invalid(
                "The message is too long for the language model of this server.",
                errors={"message": ["is too long for the language model of this server"]},
            )
        texts = number_lines(request.lines)
        if request.notes:
            texts.insert(0, f"About the recording: {shorten(one_line(request.notes), MAX_NOTES_LENGTH)}")

        read: set[int] = set()
        with (
            Conversation(self._chat, most_seconds=self._timeout_seconds) as conversation,
            _enough_room(),
        ):

            def write(stage: Stage, text: str) -> str:
                is_answer = stage in {Stage.WHOLE, Stage.MERGE}
                written = conversation.ask(
                    ask(stage, text, history=history), _bounded(request.sampling) if is_answer else None
                )
                if stage in {Stage.WHOLE, Stage.PART}:
                    read.update(numbers_of(text))
                return "" if written in NOTHING_FOUND else written

            answer = write_in_parts(texts, write, room_tokens)
        text, sources = resolve_citations(answer, request.lines)
        return ChatAnswer(
            text=text,
            sources=sources,
            engine=f"{self.name}/{self._model}",
            usage=conversation.usage,
            lines_read=count_read(read, request.lines),
            unverified=unproven(answer, Evidence(request.lines, language=request.language)),
        )

    def identify_speakers(self, request: IdentifyRequest) -> Identification:
        """Ask who is who, in the whole transcript or in its beginning, middle and end, and believe what was spoken."""
        if not request.labels or not _has_words(request.lines):
            return Identification(names=dict.fromkeys(request.labels))
        messages = partial(speaker_messages, labels=request.labels, known_names=request.known_names)
        texts = [write_line(line) for line in request.lines if line.text.strip()]
        excerpt = take_excerpt(texts, max(MIN_ROOM_TOKENS, self._room(messages([], is_excerpt=True))))
        with (
            Conversation(self._chat, most_seconds=self._timeout_seconds) as conversation,
            _enough_room(),
        ):
            answer = conversation.ask(messages(excerpt, is_excerpt=excerpt != texts))
        believed = SpokenNames(request)
        return Identification(
            names={
                label: believed.accept(name) if name else None
                for label, name in read_names(answer, request.labels).items()
            },
            usage=conversation.usage,
        )

    def _room(self, *prompts: Messages) -> int:
        """Return how many tokens of text fit beside the longest of these prompts and the answer."""
        prompt_tokens = max(
            sum(estimate_tokens(message["content"]) for message in messages) for messages in prompts
        )
        answer_tokens = min(MAX_ANSWER_TOKENS, self._context_tokens // 4)
        return self._context_tokens - answer_tokens - prompt_tokens


def _bounded(sampling: Sampling) -> Sampling:
    """Limit an answer to the room that every answer gets."""
    if sampling.max_tokens is None:
        return sampling
    return replace(sampling, max_tokens=min(sampling.max_tokens, MAX_ANSWER_TOKENS))


def _evidence_for(request: SummaryRequest) -> Evidence:
    spoken, wanted = request.spoken_language, request.language
    return Evidence(
        request.lines,
        language=wanted or spoken,
        translated=bool(wanted and spoken and wanted.partition("-")[0] != spoken.partition("-")[0]),
    )


@contextmanager
def _enough_room() -> Iterator[None]:
    """Tell of a model that stopped early even on the smallest part.

    Not ConnectorUnavailable: the same text would meet the same limit each time, at the same price.
    """
    try:
        yield
    except OutOfRoom:
        raise ConnectorRejected(
            f"{SERVICE} stopped in the middle of its answer. "
            "Choose a model that may answer longer, or lower TEXT_MODEL_CONTEXT_TOKENS."
        ) from None


def _has_words(lines: Sequence[NumberedLine]) -> bool:
    return any(line.text.strip() for line in lines)
