"""Engines that write summaries and titles, answer questions and name speakers. To add one: a file here and a name in `CONNECTORS`."""

from __future__ import annotations

from collections.abc import Mapping
from pkgutil import resolve_name

from speakr.connectors.language.base import LanguageConnector
from speakr.settings import Settings

CONNECTORS: Mapping[str, str] = {
    "embedded": "speakr.connectors.language.embedded:EmbeddedLanguageConnector.from_settings",
    "openai": "speakr.connectors.language.openai:OpenAILanguageConnector.from_settings",
}
"""Name to factory. As text, so that a process loads the engine it uses and no other."""


def choose(settings: Settings) -> str:
    """Return the name of the engine the settings ask for."""
    return "openai" if settings.llm_base_url or settings.llm_api_key else "embedded"


def make_language_connector(settings: Settings) -> LanguageConnector:
    """Make the engine the settings ask for; nothing is contacted."""
    connector: LanguageConnector = resolve_name(CONNECTORS[choose(settings)])(settings)
    return connector
