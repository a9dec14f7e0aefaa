"""EMBED: store an embedding of each passage of a transcript, so that users can search by meaning."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from speakr import conflicts
from speakr.backends import get_backends
from speakr.connectors.embedding.base import EmbeddingConnector
from speakr.db import release, unit_of_work
from speakr.domain.errors import PermanentJobError, TransientJobError
from speakr.services.jobs import claims
from speakr.services.search import passages

TEXTS_AT_ONCE = 64
"""Texts whose vectors are stored together while a long transcript is embedded."""
_FIRST_PROGRESS, _LAST_PROGRESS = 10, 95


def run(held: claims.Claim) -> None:
    """Embed the passages that have no embedding yet. The earlier ones stay until all are complete."""
    found = passages.material(held)
    release()
    embedder = get_backends().make_embedder()
    if embedder is None:
        raise PermanentJobError("There is no embedding model any more.", code="no_embedding_model")
    if get_backends().embedding_model != found.model:  # prepared or removed meanwhile
        raise TransientJobError("The embedding model was replaced.", code="other_embedding_model")
    with unit_of_work():
        claims.report(held, "Preparing search by meaning", _FIRST_PROGRESS)
    vectors = _vectors(held, found, embedder)
    conflicts.in_unit(lambda: passages.store(held, found, vectors))


def _vectors(held: claims.Claim, found: passages.Material, embedder: EmbeddingConnector) -> list[bytes]:
    texts = [passage.text for passage in found.passages]
    known = {text: vector for text in texts if (vector := found.known.get(passages.fingerprint(text)))}
    made = _embed(held, found, embedder, [text for text in dict.fromkeys(texts) if text not in known])
    if len({len(vector) for vector in (*known.values(), *made.values())}) > 1:
        # The model's dimensions have changed.
        made |= _embed(held, found, embedder, list(known))
        known = {}
    return [made.get(text) or known[text] for text in texts]


def _embed(
    held: claims.Claim, found: passages.Material, embedder: EmbeddingConnector, texts: Sequence[str]
) -> dict[str, bytes]:
    """Return the vector of each text. Of a long transcript, store them on the way."""
    made: dict[str, bytes] = {}
    for first in range(0, len(texts), TEXTS_AT_ONCE):
        batch = texts[first : first + TEXTS_AT_ONCE]
        vectors = dict(zip(batch, embedder.embed(batch), strict=True))
        made |= vectors
        if len(texts) > len(made):
            done = (_LAST_PROGRESS - _FIRST_PROGRESS) * len(made) // len(texts)
            conflicts.in_unit(partial(passages.keep, held, found, vectors, _FIRST_PROGRESS + done))
    return made
