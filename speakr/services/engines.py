"""The speech engine as users meet it: what it can do, and the models the administrator offers."""

from __future__ import annotations

from dataclasses import replace

from speakr.backends import plugged
from speakr.connectors.transcription import Description, describe
from speakr.services import system_settings


def transcription() -> Description:
    """Describe the engine in use, with the models offered now."""
    return describe(
        replace(
            plugged().settings,
            transcription_models=system_settings.get("transcription_models"),
            transcription_model=system_settings.get("transcription_model"),
        )
    )


def offered_models() -> list[str]:
    """Return the models a request may name."""
    return [model.value for model in transcription().models]
