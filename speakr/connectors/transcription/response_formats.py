"""The forms of answer that servers behind OpenAI's `POST /audio/transcriptions` give, the richest first.

The rule: ask for the richest form that the model's family has. If the server refuses the form by name (400, 415 or 422
whose body names the field or its value), ask for the next simpler one, at most once each. What was learned is kept for some
hours by base URL and model, so that the next chunk is asked for once; then it is learned again, as servers are updated.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

import structlog

from speakr.connectors.transcription.base import ChunkContext
from speakr.domain.errors import ConnectorRejected

logger = structlog.get_logger(__name__)

Answer = TypeVar("Answer")
Form = Literal["verbose_json", "json", "diarized_json", "text"]

MEMORY_SECONDS: Final = 6 * 3600
_REFUSING: Final = frozenset({400, 415, 422})
_WORDS_ABOUT_TIMES: Final = ("timestamp_granularities", "granularit")
_WORDS_ABOUT_FORM: Final = ("response_format", "response format", "verbose_json", "diarized_json")


@dataclass(frozen=True, slots=True)
class Request:
    """One form of answer: `response_format`, and whether times of words are asked for."""

    form: Form
    has_word_times: bool = False

    @property
    def fields(self) -> dict[str, Any]:
        """The form fields of this request."""
        times = {"timestamp_granularities": ["word", "segment"]} if self.has_word_times else {}
        return {"response_format": self.form, **times}


_VERBOSE: Final = (Request("verbose_json", has_word_times=True), Request("verbose_json"))
_SIMPLE: Final = (Request("json"), Request("text"))


def requests_for(form: Form) -> Sequence[Request]:
    """Return what to ask for, the richest first, of a family of models whose form is this one."""
    if form == "verbose_json":
        return (*_VERBOSE, *_SIMPLE)
    return _SIMPLE if form == "json" else (Request(form), *_SIMPLE)


class FormMemory:
    """The form that a server answered in, by model: in this process, and in the memory that all workers share."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._known: dict[str, tuple[int, float]] = {}
        """Position of the form, and the monotonic time at which it is forgotten."""

    def ask(self, model: str, form: Form, context: ChunkContext, send: Callable[[Request], Answer]) -> Answer:
        """Send the richest request that the server has not refused, and simpler ones while it refuses the form.

        A simpler form is remembered when the server has answered in it: the refusal may have been about this file.

        Raises what `send` raises, at the latest for the simplest form.
        """
        requests = requests_for(form)
        name = self._name(model)
        first = at = min(self._first(name, context), len(requests) - 1)
        while True:
            try:
                answer = send(requests[at])
            except ConnectorRejected as error:
                simpler = _next(requests, at, error)
                if simpler is None:
                    raise
            else:
                if at != first:
                    self._known[name] = at, time.monotonic() + MEMORY_SECONDS
                    context.remember(name, str(at), MEMORY_SECONDS)
                return answer
            logger.info("response_format_refused", model=model, refused=requests[at].form)
            at = simpler

    def _first(self, name: str, context: ChunkContext) -> int:
        known, until = self._known.get(name, (0, 0.0))
        if time.monotonic() < until:
            return known
        kept = context.recall(name) or ""
        return int(kept) if kept.isascii() and kept.isdigit() else 0

    def _name(self, model: str) -> str:
        server = hashlib.sha256(f"{self._base_url}\n{model}".encode()).hexdigest()[:32]
        return f"form:{server}"


def _next(requests: Sequence[Request], at: int, error: ConnectorRejected) -> int | None:
    """Return the next request to try, or None if the refusal is about something else or nothing simpler is left."""
    if error.status not in _REFUSING:
        return None
    refusal = error.provider_answer.casefold()
    is_about_form = any(word in refusal for word in _WORDS_ABOUT_FORM)
    is_about_times = requests[at].has_word_times and any(word in refusal for word in _WORDS_ABOUT_TIMES)
    if not is_about_form and not is_about_times:
        return None
    simpler = range(at + 1, len(requests))
    if is_about_times and "verbose_json" not in refusal:
        return at + 1
    return next((index for index in simpler if requests[index].form != requests[at].form), None)
