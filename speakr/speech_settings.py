"""The settings of speech engines; `Settings` inherits and reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from speakr.environment import Declared, SettingsError, read, setting

CONNECTORS: Mapping[str, str] = {
    "embedded": "speakr.connectors.transcription.embedded:EmbeddedConnector",
    "whisper": "speakr.connectors.transcription.whisper:WhisperConnector",
    "openai": "speakr.connectors.transcription.openai:OpenAIConnector",
    "asr": "speakr.connectors.transcription.asr:AsrServiceConnector",
    "assemblyai": "speakr.connectors.transcription.assemblyai:AssemblyAIConnector",
}
"""Every speech engine: its name, and the class with its `about` and `from_settings`.

It stands here, below the code that it names, because settings are refused that name no engine. The class is text, so
that a process loads the engine it uses and no other. Settings, documentation and API take their engines from here.
"""

LANGUAGES = ("all", "en")
"""Values of SPEAKR_LANGUAGES."""


def engines_in_words() -> str:
    """Return the names of all engines as a phrase: `embedded, whisper ... or assemblyai`."""
    *first, last = CONNECTORS
    return f"{', '.join(first)} or {last}"


@dataclass(frozen=True, kw_only=True)
class SpeechSettings:
    """Settings of the transcription engines other than the first engine's address, key and model."""

    languages: str = setting(
        default="all",
        env="SPEAKR_LANGUAGES",
        section="Speech engines",
        help="Languages of the embedded engine: all, or en. With en, `speakr models prepare` leaves out the model for other languages, and recordings in them are refused.",
    )
    transcription_slots: int = setting(
        default=0,
        env="SPEAKR_TRANSCRIPTION_SLOTS",
        section="Speech engines",
        help="Number of chunks that all workers together send to the engine at once. 0: the number of workers.",
    )
    max_jobs_per_user: int = setting(
        default=0,
        env="SPEAKR_MAX_JOBS_PER_USER",
        section="Speech engines",
        help="Jobs of one user that run at once, per queue. 0: as many as there are workers; users take turns either way.",
    )
    transcription_patience_hours: float = setting(
        default=6.0,
        env="SPEAKR_TRANSCRIPTION_PATIENCE_HOURS",
        section="Speech engines",
        help="Hours that a recording waits for an engine that asks to wait, before it fails.",
    )
    transcription_silence_seconds: float = setting(
        default=900.0,
        env="SPEAKR_TRANSCRIPTION_SILENCE_SECONDS",
        section="Speech engines",
        help="Seconds that an engine on this machine may run without progress. Then its process is ended and the chunk is tried again. 0: no limit.",
    )
    transcription_fallback: str = setting(
        default="",
        env="SPEAKR_TRANSCRIPTION_FALLBACK",
        section="Speech engines",
        help="Second engine ({engines}) for chunks that the first cannot transcribe. Empty: none.",
    )
    transcription_fallback_base_url: str = setting(
        default="",
        env="SPEAKR_TRANSCRIPTION_FALLBACK_BASE_URL",
        section="Speech engines",
        help="The second engine's address.",
    )
    transcription_fallback_api_key: str = setting(
        default="",
        env="SPEAKR_TRANSCRIPTION_FALLBACK_API_KEY",
        secret=True,
        section="Speech engines",
        help="Its key.",
    )
    transcription_fallback_model: str = setting(
        default="",
        env="SPEAKR_TRANSCRIPTION_FALLBACK_MODEL",
        section="Speech engines",
        help="Its model. Empty: its own default.",
    )
    transcription_fallback_slots: int = setting(
        default=0,
        env="SPEAKR_TRANSCRIPTION_FALLBACK_SLOTS",
        section="Speech engines",
        help="Number of chunks sent to it at once. 0: the number of workers.",
    )
    engine_environment: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    """The environment, for the settings that an engine declares beside its code (`engine_settings`)."""

    def engine_settings(self, declared: type[Declared]) -> Declared:
        """Return an engine's own settings: `declared` is the dataclass that declares them."""
        return read(declared, self.engine_environment)

    def check_engines(self, connector: str) -> None:
        """Refuse names of engines that there are not, and numbers that make no sense."""
        if self.languages not in LANGUAGES:
            raise SettingsError(f"SPEAKR_LANGUAGES must be {' or '.join(LANGUAGES)}")
        if connector not in {"auto", *CONNECTORS}:
            raise SettingsError(f"TRANSCRIPTION_CONNECTOR must be auto or one of {', '.join(CONNECTORS)}")
        if self.transcription_fallback not in {"", *CONNECTORS}:
            raise SettingsError(
                f"SPEAKR_TRANSCRIPTION_FALLBACK must be empty or one of {', '.join(CONNECTORS)}"
            )
        if min(self.transcription_slots, self.transcription_fallback_slots) < 0:
            raise SettingsError(
                "SPEAKR_TRANSCRIPTION_SLOTS and SPEAKR_TRANSCRIPTION_FALLBACK_SLOTS must be 0 or more"
            )
