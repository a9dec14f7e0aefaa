"""EMBED: store an embedding of each passage of a transcript, so that users can search by meaning."""

from __future__ import annotations

from speakr import conflicts
from speakr.backends import get_backends
from speakr.connectors.embedding.base import EmbeddingConnector
from speakr.db import release, unit_of_work
from speakr.domain.errors import PermanentJobError
from speakr.services.jobs import claims
from speakr.services.search import passages


def run(held: claims.Claim) -> None:
    """Embed the passages that have no embedding yet. The earlier ones stay until all are complete."""
    found = passages.material(held)
    release()
    embedder = get_backends().make_embedder()
    if embedder is None:
        raise PermanentJobError("There is no embedding model any more.", code="no_embedding_model")
    with unit_of_work():
        claims.report(held, "Preparing search by meaning", 10)
    vectors = _vectors(found, embedder)
    conflicts.in_unit(lambda: passages.store(held, found, vectors, embedder.model))


def _vectors(found: passages.Material, embedder: EmbeddingConnector) -> list[bytes]:
    texts = [passage.text for passage in found.passages]
    missing = [text for text in dict.fromkeys(texts) if passages.fingerprint(text) not in found.known]
    asked = dict(zip(missing, embedder.embed(missing) if missing else (), strict=True))
    vectors = [asked.get(text) or found.known[passages.fingerprint(text)] for text in texts]
    if len(set(map(len, vectors))) > 1:  # the model's dimensions have changed
        return embedder.embed(texts)
    return vectors
