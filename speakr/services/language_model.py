"""The language engine while somebody waits for its answer: made once per process, its failures told as one kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import structlog

from speakr.backends import Backends, plugged
from speakr.connectors.language.base import LanguageConnector, Line
from speakr.domain.errors import ConnectorRejected, LanguageModelUnavailable, TransientJobError
from speakr.domain.transcript import Segment

logger = structlog.get_logger(__name__)

RETRY_AFTER_SECONDS = 30.0
"""What we ask of callers when the provider does not say. A refused key is also mended by somebody, some time."""
LONGEST_RETRY_AFTER_SECONDS = 3600.0

_made: tuple[Backends, LanguageConnector] | None = None


def writer() -> LanguageConnector:
    """Return this process's engine: making one per request would open a connection to the provider for each."""
    global _made  # noqa: PLW0603 - two threads that both make one waste a little time and do no harm
    if _made is None or _made[0] is not plugged():
        _made = (plugged(), plugged().make_writer())
    return _made[1]


def to_lines(segments: Sequence[Segment]) -> list[Line]:
    """Return segments as engines read them, in the same order."""
    return [Line(segment.speaker, segment.text, segment.start) for segment in segments]


@contextmanager
def waited_for(sentence: str) -> Iterator[None]:
    """Turn the engine's failures into a 503 with this sentence; the log has the reason, which is the operator's."""
    try:
        yield
    except (TransientJobError, ConnectorRejected) as error:
        logger.warning("language_model_failed", code=error.slug, reason=error.message)
        asked = getattr(error, "retry_after_seconds", None)
        raise LanguageModelUnavailable(
            sentence,
            retry_after_seconds=min(max(asked or RETRY_AFTER_SECONDS, 1.0), LONGEST_RETRY_AFTER_SECONDS),
        ) from error
