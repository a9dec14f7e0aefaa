"""Transcribe at AssemblyAI's asynchronous API: upload, order a transcript, ask until it is there.

Source: the provider's reference of `/v2/upload` and `/v2/transcript`. The id of an ordered transcript is kept
beside the chunk as soon as it is known, so the next worker after a crash asks for that transcript and does
not order, and pay for, a second one.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, Self
from urllib.parse import quote

from speakr.connectors.provider_words import appended, sentence_in
from speakr.connectors.transcription.base import About, AudioChunk, Capabilities, ChunkContext, OnSegment
from speakr.connectors.transcription.http import Service
from speakr.connectors.transcription.openai_answers import read_answer
from speakr.connectors.transcription.openai_models import own_models
from speakr.connectors.transcription.phrases import phrases
from speakr.connectors.transcription.wav import wav_file
from speakr.domain.errors import ConnectorRejected, ConnectorUnavailable
from speakr.domain.transcript import Hints, Hypothesis
from speakr.settings import Settings

SERVICE = "The transcription provider"
PUBLIC_BASE_URL = "https://api.assemblyai.com"
DEFAULT_MODEL = "universal-2"

FIRST_PAUSE_SECONDS: Final = 0.5
MAX_PAUSE_SECONDS: Final = 5.0
MAX_QUEUE_SECONDS: Final = 6 * 3600.0
"""A transcript that is always about to come is as good as none."""

_POLL_TIMEOUT_SECONDS: Final = 60.0


class AssemblyAIConnector:
    """Order a transcript of each chunk and wait for it as long as the provider says that it works on it."""

    name = "assemblyai"
    about: ClassVar[About] = About(
        description="AssemblyAI's API",
        needs="`TRANSCRIPTION_API_KEY`",
        supports="language, hotwords, speaker counts; prompt with `universal-3-pro`",
    )

    def __init__(
        self,
        service: Service,
        *,
        models: Sequence[str] = (DEFAULT_MODEL,),
        first_pause_seconds: float = FIRST_PAUSE_SECONDS,
    ) -> None:
        self.models: Sequence[str] = models
        self.default_model: str | None = models[0]
        self.capabilities = self.capabilities_with(models[0])
        self._service = service
        self._first_pause_seconds = first_pause_seconds

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Make the connector the operator configured; nothing is contacted."""
        base_url = settings.transcription_base_url.rstrip("/").removesuffix("/v2") or PUBLIC_BASE_URL
        headers = {"Authorization": settings.transcription_api_key}
        return cls(
            Service(SERVICE, base_url, headers, settings.transcription_timeout_seconds),
            models=own_models(settings, DEFAULT_MODEL),
        )

    def capabilities_with(self, model: str | None) -> Capabilities:
        """Return what a model honours: a prompt is for the third generation only."""
        return Capabilities(
            diarization=True,
            speaker_count_control=True,
            hotwords=True,
            initial_prompt="-3" in (model or ""),
            timestamps=True,
            language_detection=True,
            target_chunk_seconds=1800.0,
            max_chunk_seconds=3600.0,
            overlap_seconds=2.0,
        )

    def transcribe(self, chunk: AudioChunk, hints: Hints, on_segment: OnSegment) -> Hypothesis:
        """Transcribe one chunk, going on with a transcript that was ordered before."""
        if not chunk.spans or not chunk.samples.size:
            return Hypothesis(segments=(), language=hints.language)
        transcript = self._ordered_before(chunk.context) or self._order(chunk, hints)
        finished = self._wait(transcript, chunk.context)
        hypothesis = read_answer(_in_seconds(finished), chunk, hints.language)
        if hypothesis is None:
            raise self._service.malformed()
        for segment in hypothesis.segments:
            on_segment(segment)
        return hypothesis

    def _ordered_before(self, context: ChunkContext) -> Mapping[str, Any] | None:
        """Return the transcript the note tells of; None when there is no note, or the provider has forgotten."""
        note = context.note or {}
        if not isinstance(note.get("transcript"), str):
            return None
        try:
            return self._look(note["transcript"], context)
        except ConnectorRejected:
            context.keep(None)
            return None

    def _order(self, chunk: AudioChunk, hints: Hints) -> Mapping[str, Any]:
        context = chunk.context
        note = context.note or {}
        audio_url = note.get("audio")
        if not isinstance(audio_url, str):
            uploaded = self._service.ask(
                "POST",
                "/v2/upload",
                context,
                data=wav_file(chunk),
                headers={"Content-Type": "application/octet-stream"},
            )
            audio_url = uploaded.get("upload_url")
            if not isinstance(audio_url, str) or not audio_url:
                raise self._service.malformed()
            context.keep({"audio": audio_url})
        try:
            ordered = self._service.ask(
                "POST",
                "/v2/transcript",
                context,
                json=_order_form(audio_url, hints, hints.model or self.models[0]),
            )
        except ConnectorRejected:
            context.keep(None)  # an upload is kept for a while only, so it may be what is wrong
            raise
        if not isinstance(ordered.get("id"), str) or not ordered["id"]:
            raise self._service.malformed()
        context.keep({"transcript": ordered["id"]})
        return ordered

    def _look(self, transcript: str, context: ChunkContext) -> Mapping[str, Any]:
        path = f"/v2/transcript/{quote(transcript, safe='')}"
        return self._service.ask("GET", path, context, seconds=_POLL_TIMEOUT_SECONDS)

    def _wait(self, transcript: Mapping[str, Any], context: ChunkContext) -> Mapping[str, Any]:
        """Ask until the transcript is there. A good answer is a heartbeat; one that fails ends this try only."""
        began, pause = time.monotonic(), self._first_pause_seconds
        identity = transcript.get("id")
        while True:
            status = transcript.get("status")
            if status == "completed":
                return transcript
            if status == "error":
                return self._failed(transcript, context)
            if status not in {"queued", "processing"} or not isinstance(identity, str):
                raise self._service.malformed()
            if time.monotonic() - began > MAX_QUEUE_SECONDS:
                context.keep(None)
                raise ConnectorUnavailable(f"{SERVICE} did not finish a transcript in time.")
            time.sleep(pause)
            context.heartbeat()
            pause = min(pause * 1.5, MAX_PAUSE_SECONDS)
            transcript = self._look(identity, context)

    def _failed(self, transcript: Mapping[str, Any], context: ChunkContext) -> Mapping[str, Any]:
        """Return an empty transcript if the audio has no speech, else raise."""
        if "no spoken audio" in str(transcript.get("error")):
            return {"text": "", "words": []}
        context.keep(None)
        sentence = sentence_in(str(transcript.get("error") or ""))
        said = appended(sentence)
        raise ConnectorUnavailable(f"{SERVICE} could not transcribe a part of this recording.{said}")


def _order_form(audio_url: str, hints: Hints, model: str) -> dict[str, Any]:
    form: dict[str, Any] = {"audio_url": audio_url, "speech_models": [model], "speaker_labels": True}
    if hints.language:
        form["language_code"] = hints.language.split("-")[0].lower()
    else:
        form["language_detection"] = True
    counts = {
        f"{name}_expected": count
        for name, count in (("min_speakers", hints.min_speakers), ("max_speakers", hints.max_speakers))
        if count
    }
    if counts:
        form["speaker_options"] = counts
    hotwords = phrases(hints.hotwords or "")
    if hotwords:
        form["keyterms_prompt"] = hotwords
    if hints.initial_prompt and "-3" in model:
        form["prompt"] = hints.initial_prompt
    return form


def _in_seconds(transcript: Mapping[str, Any]) -> dict[str, Any]:
    """Return the transcript in the shape most servers use: times in seconds, utterances as segments."""
    utterances = _timed(transcript.get("utterances"))
    return {
        "text": transcript.get("text") or "",
        "language_confidence": transcript.get("language_confidence"),
        "language": str(transcript.get("language_code") or "").split("_")[0],
        "segments": [{**utterance, "words": _timed(utterance.get("words"))} for utterance in utterances],
        "words": _timed(transcript.get("words")),
    }


def _timed(listed: object) -> list[dict[str, Any]]:
    if not isinstance(listed, list):
        return []
    return [
        {**entry, **{name: entry[name] / 1000 for name in ("start", "end") if _is_number(entry.get(name))}}
        for entry in listed
        if isinstance(entry, Mapping)
    ]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
