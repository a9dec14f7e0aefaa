"""Embedding engines, which turn texts into vectors. To add one: a file here and a name in `CONNECTORS`."""

from __future__ import annotations

from collections.abc import Mapping
from pkgutil import resolve_name

from speakr.connectors.embedding.base import EmbeddingConnector
from speakr.connectors.embedding.embedded import available
from speakr.settings import Settings

OFF = "off"

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
    """Return the name of the embedding model in use, as stored with vectors; empty if there is none."""
    if settings.embedding_model == OFF:
        return ""
    return settings.embedding_model or available(settings.models_folder)
