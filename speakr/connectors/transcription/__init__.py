"""Engines that turn speech into text. To add one: a file here and a name in `CONNECTORS`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pkgutil import resolve_name

from speakr.connectors.transcription.base import Capabilities, TranscriptionConnector
from speakr.connectors.transcription.openai_models import ModelChoice, read_choices
from speakr.settings import Settings

CONNECTORS: Mapping[str, str] = {
    "embedded": "speakr.connectors.transcription.embedded:EmbeddedConnector.from_settings",
    "openai": "speakr.connectors.transcription.openai:OpenAIConnector.from_settings",
}
"""Name to factory. As text, so that a process loads the engine it uses and no other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What is said of an engine to those who only ask."""

    name: str
    capabilities: Capabilities
    models: Sequence[ModelChoice]
    default_model: str | None


def choose(settings: Settings) -> str:
    """Return the name of the engine the settings ask for."""
    if settings.transcription_connector != "auto":
        return settings.transcription_connector
    return "openai" if settings.transcription_base_url or settings.transcription_api_key else "embedded"


def make_connector(settings: Settings) -> TranscriptionConnector:
    """Make the engine the settings ask for. It is cheap: libraries and models load with the first chunk."""
    connector: TranscriptionConnector = resolve_name(CONNECTORS[choose(settings)])(settings)
    return connector


def describe(settings: Settings) -> Description:
    """Tell about the engine in use without loading its libraries."""
    connector = make_connector(settings)
    offered = read_choices(settings.transcription_models, settings.transcription_model)
    labels = {choice.value: choice.label for choice in offered}
    return Description(
        name=connector.name,
        capabilities=connector.capabilities,
        models=tuple(ModelChoice(model, labels.get(model, model)) for model in connector.models),
        default_model=connector.default_model,
    )
