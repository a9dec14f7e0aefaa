"""Search by meaning: how many questions have the sentence that means the same at rank 1."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from evaluation.corpus_of_meaning import IN_OTHER_LANGUAGES, PARAPHRASES, SENTENCES
from evaluation.report import Figure, Table, at_least
from speakr.connectors.embedding import make_embedding_connector
from speakr.connectors.embedding.base import EmbeddingConnector
from speakr.settings import Settings

GOAL = 19.0


def measure() -> list[Table]:
    """Compare questions with sentences, with the models of this server."""
    engine = make_embedding_connector(Settings(secret_key="k" * 32))
    if engine is None:
        return [
            Table("Search by meaning", absent="No models are prepared; `speakr models prepare` makes them.")
        ]
    began = time.process_time()
    sentences = _vectors(engine, SENTENCES)
    milliseconds = 1000 * (time.process_time() - began) / len(SENTENCES)
    english, others = (_first(engine, sentences, asked) for asked in (PARAPHRASES, IN_OTHER_LANGUAGES))
    return [
        Table(
            f"Search by meaning, {engine.model}",
            [
                Figure(
                    "English, at rank 1", english, "", at_least(GOAL), 0, f"{len(PARAPHRASES)} paraphrases"
                ),
                Figure(
                    "German, French, Spanish", others, "", None, 0, f"{len(IN_OTHER_LANGUAGES)} questions"
                ),
                Figure("CPU per sentence, with loading", milliseconds, " ms"),
            ],
        )
    ]


def _first(
    engine: EmbeddingConnector, sentences: npt.NDArray[np.float32], asked: Sequence[tuple[str, int]]
) -> int:
    """Return how many questions are nearest to their sentence."""
    scores = _vectors(engine, [question for question, _ in asked]) @ sentences.T
    return int((scores.argmax(axis=1) == [answer for _, answer in asked]).sum())


def _vectors(engine: EmbeddingConnector, texts: Sequence[str]) -> npt.NDArray[np.float32]:
    return np.stack([np.frombuffer(vector, "<f2") for vector in engine.embed(texts)]).astype(np.float32)
