"""Whisper base, the part of the embedded engine for other languages than English."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import structlog

from speakr.connectors.transcription import whisper_loading
from speakr.connectors.transcription.base import AudioChunk, OnSegment
from speakr.connectors.transcription.whisper_decoding import BEAM_SIZE, LATE_SECONDS, Decoder
from speakr.domain.errors import ConnectorRejected, ConnectorUnavailable
from speakr.domain.transcript import Hints, Hypothesis
from speakr.model_files.catalogue import WHISPER_BASE
from speakr.model_files.store import ModelUnusable, open_model

if TYPE_CHECKING:
    from speakr.settings import Settings

logger = structlog.get_logger(__name__)

ENGLISH_ONLY: Final = "en"
NOT_WANTED: Final = (
    "This server transcribes English only (SPEAKR_LANGUAGES=en). Ask for English or for detection of the language, "
    "or let the administrator set SPEAKR_LANGUAGES=all."
)


class WhisperBase:
    """Transcribes any language that Whisper has, with the prepared model on one thread of the processor.

    It satisfies `OtherLanguages`. Hotwords and prompt go to the model.
    """

    def __init__(self, models: Path, *, languages: str = "all", beam_size: int = BEAM_SIZE) -> None:
        """Take the folder of prepared models. languages: `all`, or `en` to refuse any but English."""
        self._models = models
        self._languages = languages
        self._beam_size = beam_size
        self._decoder: Decoder | None = None
        self._reported: str | None = None

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Make the recogniser; nothing is loaded."""
        return cls(settings.models_folder, languages=settings.languages)

    def is_available(self) -> bool:
        """Return whether it can transcribe here; if not, the log says once why. It loads nothing."""
        reason = self._unavailable_reason()
        if reason is not None and reason != self._reported and self._languages != ENGLISH_ONLY:
            logger.warning("other_languages_unavailable", reason=reason)
        self._reported = reason
        return reason is None

    def transcribe(self, chunk: AudioChunk, hints: Hints, on_segment: OnSegment) -> Hypothesis:
        """Transcribe one chunk; pass on its segments pack by pack.

        Raises:
            ConnectorRejected: the server is for English only, the model is missing, not whole or another, or this
                machine cannot run it, or the model does not have the named language.
            ConnectorUnavailable: the model failed on this chunk, or there is not enough memory to load it.
        """
        if not chunk.spans or not chunk.samples.size:
            return Hypothesis((), hints.language, model=WHISPER_BASE.name)
        decoder = self._load()
        try:
            found = decoder.transcribe(chunk, hints, on_segment)
        except (RuntimeError, ValueError) as error:
            self._decoder = None
            logger.exception("whisper_failed")
            raise ConnectorUnavailable("The embedded recogniser failed on this recording.") from error
        return replace(found, model=WHISPER_BASE.name)

    def _load(self) -> Decoder:
        """Return the loaded model. It takes a third of a CPU second and 100 MB, and must not happen before a fork."""
        if self._decoder is None:
            if (reason := self._unavailable_reason()) is not None:
                raise ConnectorRejected(reason)
            model = whisper_loading.load_model(
                self._models / WHISPER_BASE.name,
                WHISPER_BASE.name,
                device="cpu",
                compute_type="auto",
                threads=1,
            )
            self._decoder = Decoder(model, beam_size=self._beam_size, late_seconds=LATE_SECONDS)
        return self._decoder

    def _unavailable_reason(self) -> str | None:
        if self._languages == ENGLISH_ONLY:
            return NOT_WANTED
        try:
            open_model(self._models, WHISPER_BASE)
        except ModelUnusable as error:
            return str(error)
        return whisper_loading.unusable_reason()
