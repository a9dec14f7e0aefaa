"""The language engine while somebody waits for its answer: made once per process, its failures told as one kind."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import structlog

from speakr.backends import Backends, get_backends
from speakr.connectors.language.base import LanguageConnector
from speakr.db import separate_unit_of_work
from speakr.domain.errors import ConnectorRejected, JobError, LanguageModelUnavailable, TransientJobError
from speakr.domain.statements import NumberedLine, Usage
from speakr.domain.transcript import Segment
from speakr.models import User
from speakr.services.accounts import usage

logger = structlog.get_logger(__name__)

Answer = TypeVar("Answer")

RETRY_AFTER_SECONDS = 30.0
"""What we ask of callers when the provider does not say. A refused key is also mended by somebody, some time."""
MAX_RETRY_AFTER_SECONDS = 3600.0

_made: tuple[Backends, LanguageConnector] | None = None


def spends_tokens() -> bool:
    """Tell whether the engine's work is counted in tokens; one that runs here is not."""
    return not run_blocking(_engine).is_extractive


def ask(user_id: int, question: Callable[[LanguageConnector], Answer], *, or_say: str) -> Answer:
    """Put a user's question to this process's engine. The caller holds no transaction: the answer may take minutes.

    Raises:
        LanguageModelUnavailable: the engine failed; `or_say` is what the user is told, the log has the reason.

    """
    engine = run_blocking(_engine)
    try:
        # An engine that computes would stop the loop; one that asks a provider waits, and the loop lets others run.
        return run_blocking(lambda: question(engine)) if engine.is_extractive else question(engine)
    except (TransientJobError, ConnectorRejected) as error:
        logger.warning("language_model_failed", code=error.slug, reason=error.message)
        count_lost(user_id, error.tokens_spent)
        asked = getattr(error, "retry_after_seconds", None)
        raise LanguageModelUnavailable(
            or_say,
            retry_after_seconds=min(max(asked or RETRY_AFTER_SECONDS, 1.0), MAX_RETRY_AFTER_SECONDS),
        ) from error


def count_lost(user_id: int, tokens: int) -> None:
    """Count what was spent on work that came to nothing. A unit of work of its own: that of the work is undone."""
    if not tokens:
        return
    with separate_unit_of_work() as session:
        if session.get(User, user_id) is not None:  # who was deleted meanwhile has no budget
            usage.add(user_id, tokens=tokens)


class Spent:
    """The tokens that the requests of one job have cost so far."""

    def __init__(self) -> None:
        self.usage = Usage()

    def add(self, usage: Usage) -> None:
        """Add the tokens of one more request."""
        self.usage += usage


@contextlib.contextmanager
def spending(user_id: int) -> Iterator[Spent]:
    """Let a job add up its tokens. If it fails they are counted at once, for nothing is stored then that counts them."""
    spent = Spent()
    try:
        yield spent
    except JobError as error:
        count_lost(user_id, spent.usage.total + error.tokens_spent)
        raise


def to_lines(segments: Sequence[Segment]) -> list[NumberedLine]:
    """Return segments as engines read them, in the same order."""
    return [NumberedLine(segment.speaker, segment.text, segment.start, segment.end) for segment in segments]


def _engine() -> LanguageConnector:
    """Return the engine; making one per request would open a connection to the provider for each."""
    global _made  # noqa: PLW0603 - two threads that both make one waste a little time and do no harm
    if _made is None or _made[0] is not get_backends():
        _made = (get_backends(), get_backends().make_writer())
    return _made[1]


def run_blocking(work: Callable[[], Answer]) -> Answer:
    """Run work that computes where it does not stop a gevent loop; without gevent, simply run it.

    The longest transcripts take a second. gevent is looked up, not imported: only the web process runs on it.
    """
    monkey = sys.modules.get("gevent.monkey")
    if monkey is None or not monkey.is_module_patched("threading"):
        return work()
    pool: Any = sys.modules["gevent"].get_hub().threadpool
    done: Answer = pool.apply(work)
    return done
