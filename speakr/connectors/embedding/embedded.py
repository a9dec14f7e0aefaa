"""Vectors made on this machine by models that `speakr models prepare` makes.

Two models side by side: MiniLM is better in English, the multilingual encoder also finds a text by a question in
another language. A vector is both vectors one after the other, so its product with another is a weighted sum of both
similarities.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import structlog

from speakr.connectors.embedding.base import pack
from speakr.domain.errors import ConnectorRejected
from speakr.model_files.catalogue import SENTENCES, SENTENCES_IN_LANGUAGES, Model
from speakr.model_files.store import is_prepared, open_model
from speakr.offload import run_cpu
from speakr.settings import Settings

if TYPE_CHECKING:
    from speakr.connectors.embedding.minilm import MiniLM
    from speakr.connectors.embedding.sentence_encoder import SentenceEncoder

logger = structlog.get_logger(__name__)

IN_LANGUAGES_WEIGHT: Final = 0.7
"""Weight of the multilingual vector beside the English one."""

ENGLISH: Final = "minilm-l6-v2"
ALL_LANGUAGES: Final = "minilm-l6-v2+use-multilingual-v3"
"""Names of the engines. Vectors of different models cannot be compared."""


def models_for(name: str) -> tuple[Model, ...]:
    """Return the models behind a name."""
    return (SENTENCES,) if name == ENGLISH else (SENTENCES, SENTENCES_IN_LANGUAGES)


def available(root: Path) -> str:
    """Return the name of the best engine whose models in a folder are whole; empty if there is none.

    The first call for a state of the files reads them, in a web process beside the event loop.
    """
    return next((name for name in (ALL_LANGUAGES, ENGLISH) if _are_prepared(root, name)), "")


def files_of(name: str) -> tuple[str, ...]:
    """Return the hashes of the files that an engine uses."""
    return tuple(digest for model in models_for(name) for _, digest in sorted(model.files.items()))


def _are_prepared(root: Path, name: str) -> bool:
    return all(is_prepared(root, model) for model in models_for(name))


class EmbeddedEmbeddingConnector:
    """Make vectors in this process. The models are loaded with the first text."""

    name = "embedded"

    def __init__(self, root: Path, model: str) -> None:
        self.model = model
        self._root = root
        self._loading = threading.Lock()
        self._loaded: tuple[MiniLM, SentenceEncoder | None] | None = None

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Make the connector; nothing is loaded."""
        return cls(settings.models_folder, available(settings.models_folder))

    def embed(self, texts: Sequence[str], *, most_seconds: float | None = None) -> list[bytes]:  # noqa: ARG002 - it takes milliseconds
        """Return the vector of each text. In a web process this runs beside the event loop, one text at a time."""
        return [run_cpu(partial(self._embed, text)) for text in texts]

    def _embed(self, text: str) -> bytes:
        english, in_languages = self._load()
        try:
            values = english.vector(text).tolist()
            if in_languages is not None:
                values += (in_languages.vector(text) * IN_LANGUAGES_WEIGHT).tolist()
            return pack(values)
        except (
            Exception
        ) as error:  # ONNX Runtime and the tokenizers raise many kinds, also of Exception itself
            logger.warning("embedding_model_failed", model=self.model, reason=str(error))
            raise ConnectorRejected("The model for search by meaning failed on this text.") from error

    def _load(self) -> tuple[MiniLM, SentenceEncoder | None]:
        from speakr.connectors.embedding.minilm import MiniLM  # noqa: PLC0415 - loads numpy
        from speakr.connectors.embedding.sentence_encoder import SentenceEncoder  # noqa: PLC0415 - likewise

        with self._loading:
            if self._loaded is None:
                try:
                    folders = [open_model(self._root, model) for model in models_for(self.model)]
                    others = [SentenceEncoder(folder) for folder in folders[1:]]
                    self._loaded = (MiniLM(folders[0]), others[0] if others else None)
                except Exception as error:  # likewise; `ModelUnusable` among them
                    logger.warning("embedding_model_unusable", reason=str(error))
                    raise ConnectorRejected("The model for search by meaning cannot be loaded.") from error
            return self._loaded
