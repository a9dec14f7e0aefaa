"""Transcribe at a self-hosted web service with `POST /asr`: whisper-asr-webservice, WhisperX services.

Source: the services' own descriptions of that route. What a service does not know it ignores, so all that
the user asked for is sent, and speakers are there if the service can tell them apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

from speakr.connectors.transcription.base import About, AudioChunk, Capabilities, OnSegment
from speakr.connectors.transcription.http import Service
from speakr.connectors.transcription.openai_answers import read_answer
from speakr.connectors.transcription.openai_models import own_models
from speakr.connectors.transcription.wav import wav_file
from speakr.domain.transcript import Hints, Hypothesis
from speakr.settings import Settings

SERVICE = "The transcription service"


class AsrServiceConnector:
    """Send one chunk as a WAV file in a form, all options in the address, and read the JSON answer."""

    name = "asr"
    about: ClassVar[About] = About(
        description="a service with `POST /asr`: whisper-asr-webservice, WhisperX",
        needs="`TRANSCRIPTION_BASE_URL`",
        supports="language, hotwords, prompt, speaker counts",
    )
    capabilities = Capabilities(
        diarization=True,
        speaker_count_control=True,
        hotwords=True,
        initial_prompt=True,
        timestamps=True,
        language_detection=True,
        translation=True,
        target_chunk_seconds=600.0,
        max_chunk_seconds=780.0,
        overlap_seconds=2.0,
    )

    def __init__(self, service: Service, *, models: Sequence[str] = ()) -> None:
        self.models: Sequence[str] = models
        self.default_model: str | None = None
        """None: the service uses the model that it was started with."""
        self._service = service

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Make the connector the operator configured; nothing is contacted."""
        key = settings.transcription_api_key
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        base_url = settings.transcription_base_url.rstrip("/").removesuffix("/asr")
        return cls(
            Service(SERVICE, base_url, headers, settings.transcription_timeout_seconds),
            models=own_models(settings, None),
        )

    def capabilities_with(self, model: str | None) -> Capabilities:  # noqa: ARG002 - all models are asked alike
        """Return what the service is sent."""
        return self.capabilities

    def transcribe(self, chunk: AudioChunk, hints: Hints, on_segment: OnSegment) -> Hypothesis:
        """Transcribe one chunk; a chunk without speech is not sent, since models make up words for silence."""
        if not chunk.spans or not chunk.samples.size:
            return Hypothesis(segments=(), language=hints.language)
        answer = self._service.ask(
            "POST",
            "/asr",
            chunk.context,
            params=_options(hints),
            files={"audio_file": ("audio.wav", wav_file(chunk), "audio/wav")},
        )
        hypothesis = read_answer(answer, chunk, hints.language)
        if hypothesis is None:
            raise self._service.malformed()
        for segment in hypothesis.segments:
            on_segment(segment)
        return hypothesis


def _options(hints: Hints) -> dict[str, str]:
    asked = {
        "language": hints.language.split("-")[0].lower() if hints.language else None,
        "initial_prompt": hints.initial_prompt,
        "hotwords": hints.hotwords,
        "min_speakers": hints.min_speakers,
        "max_speakers": hints.max_speakers,
        "model": hints.model,
    }
    task = "translate" if hints.translate else "transcribe"
    fixed = {"task": task, "output": "json", "word_timestamps": "true", "diarize": "true"}
    return fixed | {name: str(value) for name, value in asked.items() if value}
