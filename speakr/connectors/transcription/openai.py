"""Transcribe at any server that speaks OpenAI's `POST /audio/transcriptions`."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

from speakr.connectors.openai_access import OpenAIAccess
from speakr.connectors.transcription import response_formats
from speakr.connectors.transcription.base import About, AudioChunk, Capabilities, ChunkContext, OnSegment
from speakr.connectors.transcription.openai_answers import read_answer
from speakr.connectors.transcription.openai_models import family_of, read_choices
from speakr.connectors.transcription.phrases import phrases
from speakr.connectors.transcription.waiting import Received, read_bounded, wait_interruptibly
from speakr.connectors.transcription.wav import wav_file
from speakr.domain.transcript import Hints, Hypothesis
from speakr.settings import Settings

if TYPE_CHECKING:
    import openai

SERVICE = "The transcription provider"


class OpenAIConnector:
    """Send one chunk as a WAV file and read the answer, whatever form this server gives it.

    Speaker labels of a diarizing model are valid in one chunk only, because the provider gets each chunk alone.
    """

    name = "openai"
    about: ClassVar[About] = About(
        description="OpenAI's API, or any server that speaks it",
        needs="`TRANSCRIPTION_BASE_URL` or `TRANSCRIPTION_API_KEY`",
        supports="by model, see below",
    )

    def __init__(self, access: OpenAIAccess, *, models: Sequence[str], default_model: str) -> None:
        self.models: Sequence[str] = models
        self.default_model: str | None = default_model
        self.capabilities = _capabilities(default_model, models)
        self._model = default_model
        self._access = access
        self._client: openai.OpenAI | None = None
        self._forms = response_formats.FormMemory(access.base_url)

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Make the connector the operator configured; nothing is contacted."""
        choices = read_choices(settings.transcription_models, settings.transcription_model)
        return cls(
            OpenAIAccess(
                base_url=settings.transcription_base_url,
                api_key=settings.transcription_api_key,
                timeout_seconds=settings.transcription_timeout_seconds,
            ),
            models=tuple(choice.value for choice in choices),
            default_model=settings.transcription_model,
        )

    def capabilities_with(self, model: str | None) -> Capabilities:
        """Return what this model honours; a chunk suits all models, as it is cut before one is picked."""
        return replace(
            family_of(model or self._model).capabilities,
            target_chunk_seconds=self.capabilities.target_chunk_seconds,
            max_chunk_seconds=self.capabilities.max_chunk_seconds,
        )

    def transcribe(self, chunk: AudioChunk, hints: Hints, on_segment: OnSegment) -> Hypothesis:
        """Transcribe one chunk; a chunk without speech is not sent, since models make up words for silence."""
        if not chunk.spans or not chunk.samples.size:
            return Hypothesis(segments=(), language=hints.language)
        from speakr.connectors.openai_client import malformed  # noqa: PLC0415 - costs 60 MB

        model = hints.model or self._model
        fields = _fields(chunk, hints, model)
        answer = self._forms.ask(
            model,
            family_of(model).response_format,
            chunk.context,
            lambda wanted: self._send(wanted, fields, chunk.context),
        )
        hypothesis = read_answer(answer, chunk, hints.language)
        if hypothesis is None:
            raise malformed(SERVICE)
        for segment in hypothesis.segments:
            on_segment(segment)
        return hypothesis

    def _send(
        self, wanted: response_formats.Request, fields: Mapping[str, Any], context: ChunkContext
    ) -> Mapping[str, Any]:
        from speakr.connectors.openai_client import ask, ask_for_json, open_client  # noqa: PLC0415 - costs 60 MB

        if self._client is None:
            self._client = open_client(self._access)
        create = self._client.audio.transcriptions.with_streaming_response.create

        def send() -> Received:
            with create(**fields, **wanted.fields) as answer:
                return Received(read_bounded(SERVICE, answer.iter_bytes()))

        def ask_in_form() -> Mapping[str, Any]:
            return _as_json(ask(SERVICE, send)) if wanted.form == "text" else ask_for_json(SERVICE, send)

        return wait_interruptibly(SERVICE, ask_in_form, self._access.timeout_seconds, context.heartbeat)


def _as_json(body: bytes) -> Mapping[str, Any]:
    """Return a bare text as the JSON that it stands for; some servers answer with JSON all the same."""
    text = body.decode("utf-8", "replace").strip()
    with contextlib.suppress(ValueError):
        parsed = json.loads(text)
        if isinstance(parsed, dict):
            return parsed
        text = parsed if isinstance(parsed, str) else text
    return {"text": text}


def _capabilities(default_model: str, models: Sequence[str]) -> Capabilities:
    """Tell what the default model honours; chunks must fit every model, as they are cut before one is picked."""
    families = [family_of(model) for model in {default_model, *models}]
    return replace(
        family_of(default_model).capabilities,
        target_chunk_seconds=min(family.target_chunk_seconds for family in families),
        max_chunk_seconds=min(family.max_chunk_seconds for family in families),
    )


def _fields(chunk: AudioChunk, hints: Hints, model: str) -> dict[str, Any]:
    """Return the form fields, only those that this kind of model accepts, without the form of the answer."""
    family = family_of(model)
    fields: dict[str, Any] = {"file": ("audio.wav", wav_file(chunk), "audio/wav"), "model": model}
    if family.has_speakers:
        fields["chunking_strategy"] = "auto"  # demanded of diarizing models above 30 seconds
    if hints.language:
        fields["language"] = hints.language.split("-")[0].lower()
    prompts = [hints.initial_prompt, hints.hotwords]
    if family.takes_keywords:
        prompts.pop()
        if hints.hotwords:
            fields["keywords"] = phrases(hints.hotwords)
    prompt = "\n".join(part for part in prompts if part)
    if prompt and family.takes_prompt:
        fields["prompt"] = prompt
    return fields
