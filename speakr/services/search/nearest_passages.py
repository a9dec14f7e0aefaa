"""Find passages by meaning: compare a question's vector with those of all passages that the actor may see."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import ColumnElement, and_, any_, func, or_, select, union_all

from speakr.backends import Backends, get_backends
from speakr.connectors.embedding.base import EmbeddingConnector
from speakr.db import db, release
from speakr.domain.errors import ConnectorRejected, EmbeddingModelUnavailable, Invalid, TransientJobError
from speakr.domain.permissions import Actor
from speakr.models import Recording, RecordingPassage, RecordingSpeaker, Segment
from speakr.offload import pause
from speakr.services.recordings import access, listing
from speakr.services.search import passages

logger = structlog.get_logger(__name__)

QUESTION_SECONDS = 5.0
"""Time limit of the model in seconds. The user waits, and a search by words needs no model."""
RETRY_AFTER_SECONDS = 30.0
"""Pause in seconds after a failure of the model, unless the model asks for another one."""
MAX_RETRY_AFTER_SECONDS = 3600.0
PASSAGES_AT_ONCE = 256
"""Passages read from the database and compared at once: a few megabytes, independent of the size of the library."""

_P = RecordingPassage.__table__.c
_S = Segment.__table__.c
_NAMED = RecordingSpeaker.__table__.c
_FIRST = Segment.__table__.alias("first_segment")
_LAST = Segment.__table__.alias("last_segment")
"""Segments are compared by position, because corrections insert segments and their ids then do not ascend."""


@dataclass(frozen=True, slots=True)
class Near:
    """A passage that may match the question; a higher score is nearer."""

    recording_id: int
    position: int
    score: float


@dataclass(frozen=True, slots=True)
class IndexedLine:
    """One segment of a passage."""

    segment_id: int
    start: float
    end: float
    speaker: str
    text: str


class _Engine:
    """The embedding engine of this process, and the time before which it is not called again."""

    def __init__(self, backends: Backends, model: str, embedder: EmbeddingConnector) -> None:
        self.backends = backends
        self.model = model
        self.embedder = embedder
        self.retry_at = 0.0


_engine: _Engine | None = None


def require() -> None:
    """Refuse a request that needs an embedding model when there is none."""
    if not passages.is_wanted():
        raise Invalid(
            "This server has no embedding model: its operator has neither prepared one (`speakr models prepare`) nor set "
            "EMBEDDING_MODEL_NAME.",
            code="no_embedding_model",
            errors={"mode": ["needs an embedding model"]},
        )


def vector_of(question: str) -> bytes:
    """Return the vector of a question. No transaction is open meanwhile.

    Raises:
        EmbeddingModelUnavailable: the model failed, now or a moment ago.

    """
    engine = _get_engine()
    left = engine.retry_at - time.monotonic()
    if left > 0:
        raise _unavailable(left)
    release()
    try:
        (vector,) = engine.embedder.embed([question], most_seconds=QUESTION_SECONDS)
    except (TransientJobError, ConnectorRejected) as error:
        logger.warning("embedding_model_failed", code=error.slug, reason=error.message)
        asked = getattr(error, "retry_after_seconds", None) or RETRY_AFTER_SECONDS
        seconds = min(max(asked, 1.0), MAX_RETRY_AFTER_SECONDS)
        if isinstance(error, TransientJobError):  # a refusal may concern only this question
            engine.retry_at = time.monotonic() + seconds
        raise _unavailable(seconds) from error
    return vector


def _get_engine() -> _Engine:
    global _engine  # noqa: PLW0603 - two threads may both create one, which is harmless
    backends = get_backends()
    # The operator may prepare another model while this process runs; vectors of two models cannot be compared.
    model = backends.embedding_model
    if _engine is None or _engine.backends is not backends or _engine.model != model:
        embedder = backends.make_embedder()
        if embedder is None:  # the model has been removed since `require`
            raise _unavailable(RETRY_AFTER_SECONDS)
        _engine = _Engine(backends, model, embedder)
    return _engine


def _unavailable(pause: float) -> EmbeddingModelUnavailable:
    return EmbeddingModelUnavailable(
        "Search by meaning is not available", retry_after_seconds=max(pause, 1.0)
    )


def nearest(actor: Actor, vector: bytes, filters: listing.Filters, most: int) -> list[Near]:
    """Return the passages nearest to a vector among those an actor may see, nearest first."""
    import numpy as np  # noqa: PLC0415 - only servers with an embedding model load it

    question = np.frombuffer(vector, "<f2").astype(np.float32)
    ids, scores = np.empty((0, 2), np.int64), np.empty(0, np.float32)
    rows = db.session.connection().execute(
        _visible(actor, filters), execution_options={"yield_per": PASSAGES_AT_ONCE}
    )
    for read in rows.partitions():
        # A model may change without changing its name.
        block = [row for row in read if len(row.vector) == len(vector)]
        if not block:
            continue
        vectors = np.frombuffer(b"".join(row.vector for row in block), "<f2").reshape(-1, len(question))
        ids = np.concatenate([ids, np.array([(row.recording_id, row.position) for row in block], np.int64)])
        scores = np.concatenate([scores, vectors.astype(np.float32) @ question])
        if len(scores) > most:
            kept = np.argpartition(-scores, most - 1)[:most]
            ids, scores = ids[kept], scores[kept]
        pause()
    found = [
        Near(recording_id, position, score)
        for (recording_id, position), score in zip(ids.tolist(), scores.tolist(), strict=True)
    ]
    return sorted(found, key=lambda near: (-near.score, -near.recording_id, near.position))


def _visible(actor: Actor, filters: listing.Filters) -> Any:
    """Return the query for all passages of an actor's own and shared recordings, with vectors."""
    own = select(Recording.id).where(Recording.user_id == actor.user_id, *listing.narrowing(actor, filters))
    others = select(Recording.id).where(
        Recording.user_id != actor.user_id,
        Recording.id.in_(access.ids_shown_to(actor)),
        *listing.narrowing_of_others(filters),
    )
    visible = union_all(own, others)
    is_visible: ColumnElement[bool] = _P.recording_id.in_(visible)
    if db.engine.dialect.name == "postgresql":
        # An array is evaluated once and then looked up; the planner may run a join as nested loops.
        is_visible = _P.recording_id == any_(func.array(visible.scalar_subquery()))
    return select(_P.recording_id, _P.position, _P.vector).where(
        is_visible, _P.is_current, _P.model == get_backends().embedding_model
    )


def lines_of(places: Sequence[tuple[int, int]]) -> dict[tuple[int, int], list[IndexedLine]]:
    """Return the segments of passages, with speaker names where they are known. The caller has checked access."""
    found: dict[tuple[int, int], list[IndexedLine]] = {}
    if not places:
        return found
    rows = db.session.connection().execute(
        select(
            _P.recording_id,
            _P.position,
            _S.id,
            _S.start,
            _S.end,
            func.coalesce(_NAMED.name, _S.speaker).label("speaker"),
            _S.text,
        )
        .select_from(
            RecordingPassage.__table__.join(_FIRST, _FIRST.c.id == _P.first_segment_id)
            .join(_LAST, _LAST.c.id == _P.last_segment_id)
            .join(
                Segment.__table__,
                and_(
                    _S.recording_id == _P.recording_id,
                    _S.position.between(_FIRST.c.position, _LAST.c.position),
                ),
            )
            .outerjoin(
                RecordingSpeaker.__table__,
                and_(_NAMED.recording_id == _S.recording_id, _NAMED.label == _S.speaker),
            )
        )
        .where(
            _P.is_current,
            or_(*(and_(_P.recording_id == number, _P.position == position) for number, position in places)),
        )
        .order_by(_P.recording_id, _P.position, _S.position)
    )
    for row in rows:
        found.setdefault((row.recording_id, row.position), []).append(IndexedLine(*row[2:]))
    return found
