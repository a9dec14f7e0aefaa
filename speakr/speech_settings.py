"""The settings of speech engines; `Settings` inherits and reads them."""

from __future__ import annotations

from dataclasses import dataclass

from speakr.environment import SettingsError, setting

ENGINES = ("embedded", "whisper", "openai", "asr", "assemblyai")


@dataclass(frozen=True, kw_only=True)
class SpeechSettings:
    """Settings of the transcription engines other than the first engine's address, key and model."""

    transcription_slots: int = setting(
        default=0,
        env="SPEAKR_TRANSCRIPTION_SLOTS",
        section="Speech engines",
        help="Number of chunks that all workers together send to the engine at once. 0: the number of workers.",
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
        help="Second engine (embedded, whisper, openai, asr or assemblyai) for chunks that the first cannot transcribe. Empty: none.",
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
    embedded_mask_profanity: bool = setting(
        default=True,
        env="SPEAKR_EMBEDDED_MASK_PROFANITY",
        section="Speech engines",
        help="Write swear words of the embedded engine with asterisks. It sometimes recognises one in harmless speech.",
    )
    embedded_denoise: bool = setting(
        default=True,
        env="SPEAKR_EMBEDDED_DENOISE",
        section="Speech engines",
        help="Remove noise from noisy recordings before the embedded engine transcribes them.",
    )
    whisper_models_dir: str = setting(
        default="",
        env="SPEAKR_WHISPER_MODELS",
        section="Speech engines",
        help="Folder of Whisper models in the format of CTranslate2, one folder each. Empty: `models/whisper` in the data folder.",
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
        help="Number format of CTranslate2: int8, float16 ... auto: float16 on CUDA, else int8, if the device supports it.",
    )
    whisper_download: bool = setting(
        default=True,
        env="SPEAKR_WHISPER_DOWNLOAD",
        section="Speech engines",
        help="Download missing Whisper models from the hub.",
    )
    whisper_hub_url: str = setting(
        default="https://huggingface.co",
        env="SPEAKR_WHISPER_HUB",
        section="Speech engines",
        help="Base URL of the hub, or of a server with the same paths.",
    )
    whisper_download_seconds: float = setting(
        default=3600.0,
        env="SPEAKR_WHISPER_DOWNLOAD_SECONDS",
        section="Speech engines",
        help="Time limit for the download of a model, in seconds.",
    )

    def check_engines(self, connector: str) -> None:
        """Raise `SettingsError` for unknown engines and negative numbers of slots."""
        if connector not in {"auto", *ENGINES}:
            raise SettingsError(f"TRANSCRIPTION_CONNECTOR must be auto or one of {', '.join(ENGINES)}")
        if self.transcription_fallback not in {"", *ENGINES}:
            raise SettingsError(f"SPEAKR_TRANSCRIPTION_FALLBACK must be empty or one of {', '.join(ENGINES)}")
        if min(self.transcription_slots, self.transcription_fallback_slots) < 0:
            raise SettingsError(
                "SPEAKR_TRANSCRIPTION_SLOTS and SPEAKR_TRANSCRIPTION_FALLBACK_SLOTS must be 0 or more"
            )
