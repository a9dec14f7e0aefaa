"""Summaries and titles by any server that speaks OpenAI's `POST /chat/completions`."""

from __future__ import annotations

from functools import partial
from typing import Self

from speakr.connectors.language.base import Summary, SummaryRequest, Title
from speakr.connectors.language.chat import SERVICE, ChatModel, Conversation
from speakr.connectors.language.lines import write_line
from speakr.connectors.language.map_reduce import OutOfRoom, Stage, estimate_tokens, summarize_in_parts
from speakr.connectors.language.prompts import Messages, summary_messages, title_messages
from speakr.connectors.language.titles import clean_title, take_excerpt
from speakr.connectors.openai_access import OpenAIAccess
from speakr.domain.errors import ConnectorRejected
from speakr.settings import Settings

MOST_ANSWER_TOKENS = 2000
LEAST_ROOM_TOKENS = 200
TITLE_TOKENS = 3000
"""A title does not get better by reading more than this."""


class OpenAILanguageConnector:
    """Ask a chat model; a transcript longer than its context is summarised in parts."""

    name = "openai"
    is_extractive = False

    def __init__(self, access: OpenAIAccess, *, model: str, context_tokens: int) -> None:
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
        """Summarise all lines; a transcript without a word gives an empty summary and asks nobody."""
        conversation = Conversation(self._chat)
        markdown = self._write_summary(request, conversation) if _has_words(request) else ""
        return Summary(
            markdown=markdown,
            engine=f"{self.name}/{self._model}",
            is_extractive=False,
            lines_read=len(request.lines),
            usage=conversation.usage,
        )

    def _write_summary(self, request: SummaryRequest, conversation: Conversation) -> str:
        messages = partial(summary_messages, instructions=request.instructions, language=request.language)
        room_tokens = min(self._room(messages(stage, "")) for stage in Stage)
        texts = [write_line(line) for line in request.lines]
        try:
            return summarize_in_parts(
                texts, lambda stage, text: conversation.ask(messages(stage, text)), room_tokens
            )
        except OutOfRoom:
            raise _out_of_room() from None

    def write_title(self, request: SummaryRequest) -> Title:
        """Write a title from the whole transcript, or from its beginning, middle and end if it is long."""
        if not _has_words(request):
            return Title(text="")
        room_tokens = self._room(title_messages("", is_excerpt=True, language=request.language))
        texts = [write_line(line) for line in request.lines]
        excerpt = take_excerpt(texts, min(room_tokens, TITLE_TOKENS))
        conversation = Conversation(self._chat)
        try:
            answer = conversation.ask(
                title_messages("\n".join(excerpt), is_excerpt=excerpt != texts, language=request.language)
            )
        except OutOfRoom:
            raise _out_of_room() from None
        return Title(text=clean_title(answer), usage=conversation.usage)

    def _room(self, messages: Messages) -> int:
        """Return how many tokens of text fit beside these messages and the answer."""
        prompt_tokens = sum(estimate_tokens(message["content"]) for message in messages)
        answer_tokens = min(MOST_ANSWER_TOKENS, self._context_tokens // 4)
        room_tokens = self._context_tokens - answer_tokens - prompt_tokens
        if room_tokens < LEAST_ROOM_TOKENS:
            raise ConnectorRejected(
                "The summary instructions leave no room for the transcript. "
                "Shorten them, or raise TEXT_MODEL_CONTEXT_TOKENS."
            )
        return room_tokens


def _out_of_room() -> ConnectorRejected:
    """Return the error for a model that stopped early even on the smallest part.

    Not ConnectorUnavailable: the same text would meet the same limit each time, at the same price.
    """
    return ConnectorRejected(
        f"{SERVICE} stopped in the middle of its answer. "
        "Choose a model that may answer longer, or lower TEXT_MODEL_CONTEXT_TOKENS."
    )


def _has_words(request: SummaryRequest) -> bool:
    return any(line.text.strip() for line in request.lines)
