"""Embedding engines, which turn texts into vectors. To add one: a file here and a name in `CONNECTORS`."""

from __future__ import annotations

from collections.abc import Mapping
from pkgutil import resolve_name

from speakr.connectors.embedding.base import EmbeddingConnector
from speakr.settings import Settings

CONNECTORS: Mapping[str, str] = {
    "openai": "speakr.connectors.embedding.openai:OpenAIEmbeddingConnector.from_settings",
}
"""Name to factory. As text, so that a process loads the engine it uses and no other."""


def make_embedding_connector(settings: Settings) -> EmbeddingConnector | None:
    """Make the engine the settings ask for, if they do; nothing is contacted."""
    if not settings.embedding_model:
        return None
    connector: EmbeddingConnector = resolve_name(CONNECTORS["openai"])(settings)
    return connector
