"""Embedding engines, which turn texts into vectors. To add one: a file here and a name in `CONNECTORS`."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pkgutil import resolve_name

from speakr.connectors.embedding.base import EmbeddingConnector
from speakr.connectors.embedding.embedded import available, files_of
from speakr.settings import Settings

OFF = "off"

_MAX_STORED = 120
"""The width of the column."""
_FINGERPRINT_DIGITS = 12

CONNECTORS: Mapping[str, str] = {
    "embedded": "speakr.connectors.embedding.embedded:EmbeddedEmbeddingConnector.from_settings",
    "openai": "speakr.connectors.embedding.openai:OpenAIEmbeddingConnector.from_settings",
}
"""Name to factory. As text, so that a process loads the engine it uses and no other."""


def make_embedding_connector(settings: Settings) -> EmbeddingConnector | None:
    """Make the engine the settings ask for; None if there is none. Nothing is loaded or contacted."""
    if not model_of(settings):
        return None
    name = "openai" if settings.embedding_model else "embedded"
    connector: EmbeddingConnector = resolve_name(CONNECTORS[name])(settings)
    return connector


def model_of(settings: Settings) -> str:
    """Return the embedding model in use, as stored with vectors: NAME#FINGERPRINT; empty if there is none.

    The fingerprint changes with the server that has the model, or with the files of a model on this machine.
    """
    if settings.embedding_model == OFF:
        return ""
    if settings.embedding_model:
        address = settings.embedding_base_url or settings.llm_base_url
        return _with_fingerprint(settings.embedding_model, address.rstrip("/"))
    name = available(settings.models_folder)
    return _with_fingerprint(name, *files_of(name)) if name else ""


def _with_fingerprint(name: str, *parts: str) -> str:
    digits = sha256("\n".join((name, *parts)).encode()).hexdigest()[:_FINGERPRINT_DIGITS]
    return f"{name[: _MAX_STORED - _FINGERPRINT_DIGITS - 1]}#{digits}"
