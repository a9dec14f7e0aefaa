"""Call the language engine during a request. Each process creates one engine, and its failures become one error."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import structlog

from speakr.backends import Backends, get_backends
from speakr.connectors.language.base import LanguageConnector
from speakr.db import separate_unit_of_work
from speakr.domain.errors import ConnectorRejected, JobError, LanguageModelUnavailable, TransientJobError
from speakr.domain.statements import NumberedLine, Usage
from speakr.domain.transcript import Segment
from speakr.models import User
from speakr.offload import run_cpu
from speakr.services.accounts import usage

logger = structlog.get_logger(__name__)

Answer = TypeVar("Answer")

RETRY_AFTER_SECONDS = 30.0
"""Sent to clients when the provider does not say. It also applies to a refused key, which an operator may replace."""
MAX_RETRY_AFTER_SECONDS = 3600.0

_made: tuple[Backends, LanguageConnector] | None = None


def spends_tokens() -> bool:
    """Tell whether the engine's work costs tokens; that of a local engine does not."""
    return not run_cpu(_engine).is_extractive


def ask(user_id: int, question: Callable[[LanguageConnector], Answer], *, or_say: str) -> Answer:
    """Send a user's question to this process's engine. No transaction may be open: the answer may take minutes.

    Raises:
        LanguageModelUnavailable: the engine failed; `or_say` is the message for the user, the log has the reason.

    """
    engine = run_cpu(_engine)
    try:
        # An engine that computes would block the loop; one that waits for a provider lets other requests run.
        return run_cpu(lambda: question(engine)) if engine.is_extractive else question(engine)
    except (TransientJobError, ConnectorRejected) as error:
        logger.warning("language_model_failed", code=error.slug, reason=error.message)
        count_lost(user_id, error.tokens_spent)
        asked = getattr(error, "retry_after_seconds", None)
        raise LanguageModelUnavailable(
            or_say,
            retry_after_seconds=min(max(asked or RETRY_AFTER_SECONDS, 1.0), MAX_RETRY_AFTER_SECONDS),
        ) from error


def count_lost(user_id: int, tokens: int) -> None:
    """Count tokens of failed work in a separate unit of work, because the one of the work is rolled back."""
    if not tokens:
        return
    with separate_unit_of_work() as session:
        if session.get(User, user_id) is not None:  # a user who was deleted meanwhile has no budget
            usage.add(user_id, tokens=tokens)


class Spent:
    """The tokens that the requests of one job have used so far."""

    def __init__(self) -> None:
        self.usage = Usage()

    def add(self, usage: Usage) -> None:
        """Add the tokens of one request."""
        self.usage += usage


@contextlib.contextmanager
def spending(user_id: int) -> Iterator[Spent]:
    """Collect the tokens of a job. If the job fails, they are counted at once, as no stored result counts them."""
    spent = Spent()
    try:
        yield spent
    except JobError as error:
        count_lost(user_id, spent.usage.total + error.tokens_spent)
        raise


def to_lines(segments: Sequence[Segment]) -> list[NumberedLine]:
    """Return segments in the form that engines read, in the same order."""
    return [NumberedLine(segment.speaker, segment.text, segment.start, segment.end) for segment in segments]


def _engine() -> LanguageConnector:
    """Return the engine. One engine per request would open one connection to the provider each."""
    global _made  # noqa: PLW0603 - two threads may both create one, which is harmless
    if _made is None or _made[0] is not get_backends():
        _made = (get_backends(), get_backends().writer())
    return _made[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageModel:
    """The language model in use, as lists of models show it."""

    id: str
    name: str
    description: str


def describe() -> LanguageModel:
    """Return the model in use; there is one per server."""
    engine = run_cpu(_engine)
    if engine.is_extractive:
        about = "Quotes the text without a language model, on this server"
        return LanguageModel(id=engine.name, name="Extractive", description=about)
    model = get_backends().settings.llm_model
    return LanguageModel(id=model, name=model, description=f"Language model of the engine {engine.name}")
