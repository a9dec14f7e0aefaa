"""Options of a user that an engine does not support: they are dropped and reported."""

from __future__ import annotations

from speakr.connectors.transcription.base import Capabilities, TranscriptionConnector
from speakr.domain.transcript import Hints


def ignored_options(engine: TranscriptionConnector, hints: Hints) -> list[str]:
    """Return the names of the hints that this engine, with the requested model, does not support."""
    unheeded = [] if hints.model is None or hints.model in engine.models else ["transcription_model"]
    return unheeded + _unheeded(engine.capabilities_with(hints.model), hints)


def _unheeded(capable: Capabilities, hints: Hints) -> list[str]:
    options = {
        "language": (hints.language, _supports(capable, hints.language)),
        "min_speakers": (hints.min_speakers, capable.speaker_count_control),
        "max_speakers": (hints.max_speakers, capable.speaker_count_control),
        "hotwords": (hints.hotwords, capable.hotwords),
        "initial_prompt": (hints.initial_prompt, capable.initial_prompt),
    }
    return [name for name, (value, is_supported) in options.items() if value and not is_supported]


def _supports(capable: Capabilities, language: str | None) -> bool:
    return not language or capable.languages is None or language.split("-")[0].lower() in capable.languages
