"""Whisper of any size on this machine: faster-whisper, which runs on CTranslate2."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Self

import structlog

from speakr.connectors.transcription.base import SECTION, About, AudioChunk, Capabilities, OnSegment
from speakr.connectors.transcription.openai_models import own_models
from speakr.connectors.transcription.whisper_decoding import BEAM_SIZE, LATE_SECONDS, Decoder
from speakr.connectors.transcription.whisper_download import Hub, fetch
from speakr.connectors.transcription.whisper_loading import load_model, unusable_reason
from speakr.connectors.transcription.whisper_models import (
    DEFAULT_MODEL,
    folder_of,
    is_downloaded,
    missing_files,
    size_bytes,
)
from speakr.connectors.transcription.whisper_packs import PACK_SECONDS
from speakr.domain.errors import ConnectorRejected, ConnectorUnavailable
from speakr.domain.transcript import Hints, Hypothesis
from speakr.environment import setting
from speakr.settings import Settings

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class WhisperSettings:
    """What the operator decided about this engine alone."""

    models_dir: str = setting(
        default="",
        env="SPEAKR_WHISPER_MODELS",
        section=SECTION,
        help="Folder of Whisper models in the format of CTranslate2, one folder each. Empty: `models/whisper` in the data folder.",
    )
    device: str = setting(
        default="auto",
        env="SPEAKR_WHISPER_DEVICE",
        section=SECTION,
        help="auto, cpu or cuda. auto takes a CUDA device when there is one.",
    )
    compute_type: str = setting(
        default="auto",
        env="SPEAKR_WHISPER_COMPUTE_TYPE",
        section=SECTION,
        help="Number format of CTranslate2: int8, float16 ... auto: float16 on CUDA, else int8, if the device supports it.",
    )
    download: bool = setting(
        default=True,
        env="SPEAKR_WHISPER_DOWNLOAD",
        section=SECTION,
        help="Download missing Whisper models from the hub.",
    )
    hub_url: str = setting(
        default="https://huggingface.co",
        env="SPEAKR_WHISPER_HUB",
        section=SECTION,
        help="Base URL of the hub, or of a server with the same paths.",
    )
    download_seconds: float = setting(
        default=3600.0,
        env="SPEAKR_WHISPER_DOWNLOAD_SECONDS",
        section=SECTION,
        help="Time limit for the download of a model, in seconds.",
    )


class WhisperConnector:
    """Transcribe with a Whisper model of any size, which is downloaded from the hub when it is missing.

    A chunk holds up to four packs of speech, so that few windows of the model are half empty.
    """

    name = "whisper"
    about: ClassVar[About] = About(
        description="Whisper on this machine (faster-whisper)",
        needs="a model, downloaded from the hub on first use; not in an English-only installation",
        supports="language, hotwords, prompt",
        settings=WhisperSettings,
    )
    capabilities = Capabilities(
        hotwords=True,
        initial_prompt=True,
        timestamps=True,
        language_detection=True,
        translation=True,
        target_chunk_seconds=4 * PACK_SECONDS,
        max_chunk_seconds=300.0,
        overlap_seconds=2.0,
    )

    def __init__(
        self,
        models_dir: Path,
        *,
        models: Sequence[str] = (DEFAULT_MODEL,),
        hub: Hub | None = None,
        device: str = "auto",
        compute_type: str = "auto",
        threads: int = 0,
        beam_size: int = BEAM_SIZE,
    ) -> None:
        self.models: Sequence[str] = models
        self.default_model: str | None = models[0]
        self._models_dir = models_dir
        self._hub = hub
        self._device, self._compute_type, self._threads = device, compute_type, threads
        self._beam_size = beam_size
        self._loaded: tuple[str, Decoder] | None = None

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Make the connector; nothing is loaded or fetched."""
        own = settings.engine_settings(WhisperSettings)
        return cls(
            Path(own.models_dir) if own.models_dir else settings.data_dir / "models" / "whisper",
            models=own_models(settings, DEFAULT_MODEL),
            hub=Hub(own.hub_url, own.download_seconds) if own.download else None,
            device=own.device,
            compute_type=own.compute_type,
            threads=max(1, (os.cpu_count() or 1) // max(1, settings.worker_count)),
        )

    def capabilities_with(self, model: str | None) -> Capabilities:
        """Return the capabilities of a model; names with `.en` support English only."""
        if (model or self.models[0]).endswith(".en"):
            return replace(
                self.capabilities, languages=frozenset({"en"}), language_detection=False, translation=False
            )
        return self.capabilities

    def model_size_bytes(self, model: str) -> int | None:
        """Return the size of a model in bytes, on disk or on the hub."""
        return size_bytes(self._models_dir, model)

    def is_downloaded(self, model: str) -> bool:
        """Return True if a model is on disk."""
        return is_downloaded(self._models_dir, model)

    def transcribe(self, chunk: AudioChunk, hints: Hints, on_segment: OnSegment) -> Hypothesis:
        """Transcribe one chunk; pass on each segment as it is decoded."""
        if not chunk.spans or not chunk.samples.size:
            return Hypothesis(segments=(), language=hints.language)
        decoder = self._load(hints.model or self.models[0], chunk)
        try:
            return decoder.transcribe(chunk, hints, on_segment)
        except (RuntimeError, ValueError) as error:
            self._loaded = None
            logger.exception("whisper_failed")
            raise ConnectorUnavailable("The local Whisper engine failed on this recording.") from error

    def _load(self, name: str, chunk: AudioChunk) -> Decoder:
        """Return a model, one of them in memory at a time; fetch it first if need be."""
        if self._loaded is not None and self._loaded[0] == name:
            return self._loaded[1]
        if (reason := unusable_reason()) is not None:
            raise ConnectorRejected(reason)
        folder = folder_of(self._models_dir, name)
        missing = missing_files(folder)
        if missing and (self._hub is None or (folder.is_absolute() and folder == Path(name))):
            raise ConnectorRejected(f"The Whisper model {Path(name).name[:60]} lacks {', '.join(missing)}.")
        if missing and self._hub is not None:
            fetch(self._hub, name, folder, chunk.context.heartbeat)
        self._loaded = None  # before the next one: two may be too big
        model = load_model(
            folder,
            Path(name).name,
            device=self._device,
            compute_type=self._compute_type,
            threads=self._threads,
        )
        late = LATE_SECONDS if name == DEFAULT_MODEL else 0.0
        self._loaded = (name, Decoder(model, beam_size=self._beam_size, late_seconds=late))
        return self._loaded[1]
