"""Requests to a chat model, and its answers."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from speakr.connectors.language import thoughts
from speakr.connectors.language.base import Sampling
from speakr.connectors.language.map_reduce import OutOfRoom
from speakr.connectors.language.prompts import Messages
from speakr.connectors.openai_access import OpenAIAccess
from speakr.connectors.openai_loading import load_client
from speakr.domain.errors import ConnectorRejected, ConnectorUnavailable, JobError
from speakr.domain.statements import Usage

if TYPE_CHECKING:
    import openai

SERVICE = "The language model provider"

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""What neither a database nor a JSON answer can hold; a provider's JSON can."""
_FENCED = re.compile(r"\A```(?:markdown|md)?\n(.*)\n```\Z", re.DOTALL)


class ChatModel:
    """One model at one server; the client is opened with the first question.

    `max_tokens` and a temperature are sent only where a user asks for them: reasoning models refuse them, under one name or
    the other. A model that does so is asked again without them, and not sent them again.
    """

    def __init__(self, access: OpenAIAccess, model: str) -> None:
        self._access = access
        self._model = model
        self._client: openai.OpenAI | None = None
        self._takes_sampling = True

    def complete(
        self, messages: Messages, most_seconds: float | None = None, sampling: Sampling | None = None
    ) -> Mapping[str, Any]:
        """Ask once and return the answer as it came. `most_seconds`: wait for less than we usually would."""
        wanted = {} if sampling is None or not self._takes_sampling else _sent(sampling)
        if not wanted:
            return self._complete(messages, most_seconds, {})
        try:
            return self._complete(messages, most_seconds, wanted)
        except ConnectorRejected:
            answer = self._complete(messages, most_seconds, {})
            self._takes_sampling = False
            return answer

    def _complete(
        self, messages: Messages, most_seconds: float | None, wanted: Mapping[str, float]
    ) -> Mapping[str, Any]:
        if self._client is None:
            self._client = load_client(self._access)
        from speakr.connectors.openai_client import ask_for_json, timeout  # noqa: PLC0415 - costs 60 MB

        create: Any = self._client.chat.completions.with_raw_response.create
        limit = {} if most_seconds is None else {"timeout": timeout(most_seconds)}
        return ask_for_json(SERVICE, lambda: create(model=self._model, messages=messages, **wanted, **limit))


class Conversation:
    """The questions asked for one summary, title or answer, and the tokens they cost together.

    `most_seconds` limits all requests together, because a user is waiting. As a context manager it adds the tokens spent
    so far to an error.
    """

    def __init__(self, chat: ChatModel, *, most_seconds: float | None = None) -> None:
        self._chat = chat
        self._deadline = None if most_seconds is None else time.monotonic() + most_seconds
        self.usage = Usage()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, JobError):
            error.tokens_spent = self.usage.total

    def ask(self, messages: Messages, sampling: Sampling | None = None) -> str:
        """Return what the model wrote. Raise OutOfRoom when it had to stop before the end.

        An answer that stops at the `max_tokens` of `sampling` is what was asked for.
        """
        answer = self._chat.complete(messages, self._seconds_left(), sampling)
        self.usage += _usage(answer)
        try:
            choice = answer["choices"][0]
            message = choice["message"]
            content, refusal = message.get("content"), message.get("refusal")
            finish_reason = choice.get("finish_reason")
        except (LookupError, TypeError, AttributeError) as error:
            raise ConnectorUnavailable(f"{SERVICE} gave an answer that cannot be understood.") from error
        is_cut = sampling is not None and sampling.max_tokens is not None and bool(content)
        if finish_reason == "length" and not is_cut:
            raise OutOfRoom
        if refusal or finish_reason == "content_filter":
            raise ConnectorRejected(f"{SERVICE} declined to write about this recording.")
        return _plain(content)

    def _seconds_left(self) -> float | None:
        if self._deadline is None:
            return None
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise ConnectorUnavailable(f"{SERVICE} did not answer in time.")
        return left


def _sent(sampling: Sampling) -> dict[str, float]:
    """Return the fields of the request."""
    wanted = {"temperature": sampling.temperature, "max_tokens": sampling.max_tokens}
    return {name: value for name, value in wanted.items() if value is not None}


def _plain(content: object) -> str:
    """Return the answer without the model's thoughts and without a surrounding code fence; it may not be empty."""
    try:
        text = thoughts.answer_in(_UNSTORABLE.sub("", thoughts.text_of(content)))
    except thoughts.Unfinished:
        raise ConnectorUnavailable(
            f"{SERVICE} sent thoughts of the model and no answer. Let the model answer longer, or choose one that thinks less."
        ) from None
    if not text:
        raise ConnectorUnavailable(f"{SERVICE} answered with nothing.")
    fenced = _FENCED.match(text)
    return fenced[1].strip() if fenced else text


def _usage(answer: Mapping[str, Any]) -> Usage:
    counted = answer.get("usage")
    if not isinstance(counted, Mapping):
        return Usage()
    prompt, completion = (counted.get(name) for name in ("prompt_tokens", "completion_tokens"))
    return Usage(prompt if isinstance(prompt, int) else 0, completion if isinstance(completion, int) else 0)
