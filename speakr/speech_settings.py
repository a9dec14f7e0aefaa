"""The settings of speech engines: a part of `Settings`, which reads them."""

from __future__ import annotations

from dataclasses import dataclass

from speakr.environment import SettingsError, setting

ENGINES = ("embedded", "whisper", "openai", "asr", "assemblyai")


@dataclass(frozen=True, kw_only=True)
class SpeechSettings:
    """What the operator decided about engines that hear, beyond the one address and key."""

    transcription_slots: int = setting(
        default=0,
        env="SPEAKR_TRANSCRIPTION_SLOTS",
        section="Speech engines",
        help="How many chunks the engine is given at once, by all workers together. 0: as many as there are workers.",
    )
    transcription_patience_hours: float = setting(
        default=6.0,
        env="SPEAKR_TRANSCRIPTION_PATIENCE_HOURS",
        section="Speech engines",
        help="How long a recording waits for an engine that is well and asks us to wait, before it fails.",
    )
    transcription_silence_seconds: float = setting(
        default=900.0,
        env="SPEAKR_TRANSCRIPTION_SILENCE_SECONDS",
        section="Speech engines",
        help="How long an engine on this machine may hear without a sign of life; then its process is ended and the chunk tried again. 0: for ever.",
    )
    transcription_fallback: str = setting(
        default="",
        env="SPEAKR_TRANSCRIPTION_FALLBACK",
        section="Speech engines",
        help="Second engine (embedded, whisper, openai, asr or assemblyai): hears each chunk that the first cannot. Empty: none.",
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
        help="How many chunks it is given at once. 0: as many as there are workers.",
    )
    embedded_mask_profanity: bool = setting(
        default=True,
        env="SPEAKR_EMBEDDED_MASK_PROFANITY",
        section="Speech engines",
        help="Whether the embedded engine writes swear words with asterisks: it now and then hears one that nobody said.",
    )
    embedded_denoise: bool = setting(
        default=True,
        env="SPEAKR_EMBEDDED_DENOISE",
        section="Speech engines",
        help="Whether noise is taken out of noisy recordings before the embedded engine hears them.",
    )
    whisper_models_dir: str = setting(
        default="",
        env="SPEAKR_WHISPER_MODELS",
        section="Speech engines",
        help="Folder of Whisper models in CTranslate2's form, one folder each. Empty: `models/whisper` in the data folder.",
    )
    whisper_device: str = setting(
        default="auto",
        env="SPEAKR_WHISPER_DEVICE",
        section="Speech engines",
        help="auto, cpu or cuda. auto takes a CUDA device when there is one.",
    )
    whisper_compute_type: str = setting(
        default="auto",
        env="SPEAKR_WHISPER_COMPUTE_TYPE",
        section="Speech engines",
        help="As CTranslate2 names them: int8, float16 ... auto: float16 on CUDA and int8 else, where the device can.",
    )
    whisper_download: bool = setting(
        default=True,
        env="SPEAKR_WHISPER_DOWNLOAD",
        section="Speech engines",
        help="Whether a Whisper model that is not there is fetched from the hub.",
    )
    whisper_hub_url: str = setting(
        default="https://huggingface.co",
        env="SPEAKR_WHISPER_HUB",
        section="Speech engines",
        help="The hub: any server that has the same addresses.",
    )
    whisper_download_seconds: float = setting(
        default=3600.0,
        env="SPEAKR_WHISPER_DOWNLOAD_SECONDS",
        section="Speech engines",
        help="How long fetching a model may take.",
    )

    def check_engines(self, connector: str) -> None:
        """Refuse names of engines that there are not, and numbers that make no sense."""
        if connector not in {"auto", *ENGINES}:
            raise SettingsError(f"TRANSCRIPTION_CONNECTOR must be auto or one of {', '.join(ENGINES)}")
        if self.transcription_fallback not in {"", *ENGINES}:
            raise SettingsError(f"SPEAKR_TRANSCRIPTION_FALLBACK must be empty or one of {', '.join(ENGINES)}")
        if min(self.transcription_slots, self.transcription_fallback_slots) < 0:
            raise SettingsError(
                "SPEAKR_TRANSCRIPTION_SLOTS and SPEAKR_TRANSCRIPTION_FALLBACK_SLOTS must be 0 or more"
            )
