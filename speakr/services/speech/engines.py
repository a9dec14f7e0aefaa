"""The speech engine: its capabilities, and the models that the administrator offers."""

from __future__ import annotations

from dataclasses import replace

from speakr import offload
from speakr.backends import get_backends
from speakr.connectors import transcription as connectors
from speakr.connectors.transcription import Description, describe
from speakr.connectors.transcription.model_table import ModelRow
from speakr.media.voices import weights
from speakr.services.system import system_settings

__all__ = ["ModelRow"]

MAX_MODELS = 1_000
"""Models that are offered; the list is a setting of at most 2,000 characters."""


def transcription() -> Description:
    """Describe the current engine and its models. Its capabilities include Speakr's own diarization.

    The first call of a process reads the files of the engine's models to check their hashes.
    """
    settings = replace(
        get_backends().settings,
        transcription_models=system_settings.get("transcription_models"),
        transcription_model=system_settings.get("transcription_model"),
    )
    engine = offload.run_blocking(lambda: describe(settings))
    if engine.capabilities.diarization or not tells_voices_apart():
        return engine
    able = replace(engine.capabilities, diarization=True, speaker_count_control=True)
    return replace(engine, capabilities=able)


def limitation() -> str | None:
    """Return why the engine works worse than it could, in a sentence for users; None if it does not.

    The first call of a process reads the files of the engine's models to check their hashes.
    """
    settings = get_backends().settings
    return offload.run_blocking(lambda: connectors.limitation(settings))


def tells_voices_apart() -> bool:
    """Tell whether this server can diarize by itself: the setting is on and the model is present."""
    return (
        get_backends().settings.diarization
        and weights.unavailable_reason(get_backends().settings.models_folder) is None
    )


def translates() -> bool:
    """Tell whether the engine can write English, whatever is spoken."""
    return transcription().capabilities.translation


def offered_models() -> list[str]:
    """Return the models that a request may name."""
    return [model.value for model in transcription().models]
