"""Engines that turn speech into text. To add one: a file here and a line in `CONNECTORS` (`speakr.speech_settings`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pkgutil import resolve_name
from typing import Any

from speakr.connectors.transcription.base import Capabilities, HasSpare, KeepsModels, TranscriptionConnector
from speakr.connectors.transcription.model_table import ModelRow, model_table
from speakr.connectors.transcription.openai_models import OPENAI_DEFAULT_MODEL, ModelChoice, read_choices
from speakr.settings import Settings
from speakr.speech_settings import CONNECTORS


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What is said of an engine to those who only ask."""

    name: str
    capabilities: Capabilities
    models: Sequence[ModelChoice]
    default_model: str | None
    all_models: Sequence[ModelRow]
    """Those of the embedded engine too, which a request cannot name."""


def choose(settings: Settings) -> str:
    """Return the name of the engine the settings ask for."""
    if settings.transcription_connector != "auto":
        return settings.transcription_connector
    return "openai" if settings.transcription_base_url or settings.transcription_api_key else "embedded"


def make_connector(settings: Settings) -> TranscriptionConnector:
    """Make the engine the settings ask for. It is cheap: libraries and models load with the first chunk."""
    connector: TranscriptionConnector = class_of(choose(settings)).from_settings(settings)
    return connector


def class_of(name: str) -> Any:
    """Return the class of an engine: its `about`, and the `from_settings` that makes one."""
    return resolve_name(CONNECTORS[name])


def own_settings() -> list[type]:
    """Return the dataclasses in which engines declare settings of their own, in the order of the engines."""
    declared = (class_of(name).about.settings for name in CONNECTORS)
    return [each for each in declared if each is not None]


def check_own_settings(settings: Settings) -> None:
    """Refuse values of engines' own settings that cannot be read. Raises `SettingsError`."""
    for declared in own_settings():
        settings.engine_settings(declared)


def describe(settings: Settings) -> Description:
    """Tell about the engine in use without loading its libraries."""
    connector = make_connector(settings)
    offered = read_choices(settings.transcription_models, settings.transcription_model)
    labels = {choice.value: choice.label for choice in offered}
    return Description(
        name=connector.name,
        capabilities=connector.capabilities,
        models=tuple(_choice(connector, model, labels.get(model, model)) for model in connector.models),
        default_model=connector.default_model,
        all_models=tuple(model_table(settings, connector)),
    )


def limitation(settings: Settings) -> str | None:
    """Return why the engine in use works worse than it could, in a sentence for users; None if it does not."""
    connector = make_connector(settings)
    return connector.limitation() if isinstance(connector, HasSpare) else None


def make_fallback(settings: Settings) -> TranscriptionConnector | None:
    """Make the second engine, for chunks that the first cannot transcribe; None if none is configured."""
    if not settings.transcription_fallback:
        return None
    return make_connector(
        replace(
            settings,
            transcription_connector=settings.transcription_fallback,
            transcription_base_url=settings.transcription_fallback_base_url,
            transcription_api_key=settings.transcription_fallback_api_key,
            transcription_model=settings.transcription_fallback_model or OPENAI_DEFAULT_MODEL,
            transcription_models="",
        )
    )


def _choice(connector: TranscriptionConnector, model: str, label: str) -> ModelChoice:
    if not isinstance(connector, KeepsModels):
        return ModelChoice(model, label)
    return ModelChoice(model, label, connector.model_size_bytes(model), connector.is_downloaded(model))
