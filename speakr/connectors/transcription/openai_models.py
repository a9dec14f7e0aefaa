"""Capabilities of the models behind OpenAI-compatible transcription APIs, by name.

Source: the provider's reference of `POST /audio/transcriptions`. Any name we do not know is taken for a
Whisper model, since that is what self-hosted servers run.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from speakr.connectors.transcription.base import Capabilities
from speakr.settings import Settings

TARGET_CHUNK_SECONDS = 600.0
MAX_CHUNK_SECONDS = 780.0
"""13 minutes of 16 kHz WAV are 24.96 MB; providers take 25."""

SHORT_TARGET_CHUNK_SECONDS = 300.0
SHORT_MAX_CHUNK_SECONDS = 480.0
"""Models that write at most 2,000 tokens stop in the middle of a longer chunk, and do not say so:
fast English is some 230 tokens a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFamily:
    """Request form of one family of models."""

    response_format: Literal["verbose_json", "json", "diarized_json"]
    takes_prompt: bool
    takes_keywords: bool = False
    """Hotwords have a field of their own; else they stand in the prompt."""
    has_times: bool
    has_speakers: bool
    target_chunk_seconds: float = TARGET_CHUNK_SECONDS
    max_chunk_seconds: float = MAX_CHUNK_SECONDS

    @property
    def capabilities(self) -> Capabilities:
        """The capabilities of the family, as the API shows them."""
        return Capabilities(
            diarization=self.has_speakers,
            hotwords=self.takes_prompt or self.takes_keywords,
            initial_prompt=self.takes_prompt,
            timestamps=self.has_times,
            language_detection=True,
            target_chunk_seconds=self.target_chunk_seconds,
            max_chunk_seconds=self.max_chunk_seconds,
            overlap_seconds=2.0,
        )


WHISPER = ModelFamily(response_format="verbose_json", takes_prompt=True, has_times=True, has_speakers=False)
GPT_TRANSCRIBE = ModelFamily(
    response_format="json",
    takes_prompt=True,
    has_times=False,
    has_speakers=False,
    target_chunk_seconds=SHORT_TARGET_CHUNK_SECONDS,
    max_chunk_seconds=SHORT_MAX_CHUNK_SECONDS,
)
GPT_TRANSCRIBE_WITH_KEYWORDS = replace(GPT_TRANSCRIBE, takes_keywords=True)
GPT_DIARIZE = ModelFamily(
    response_format="diarized_json", takes_prompt=False, has_times=True, has_speakers=True
)


def family_of(model: str) -> ModelFamily:
    """Return the family of a model; a folder before its name ("openai/whisper-1") does not matter."""
    name = model.rsplit("/", maxsplit=1)[-1].lower()
    if name == "gpt-transcribe" or name.startswith("gpt-transcribe-"):
        return GPT_TRANSCRIBE_WITH_KEYWORDS
    if name.startswith("gpt-") and "transcribe" in name:
        return GPT_DIARIZE if "diarize" in name else GPT_TRANSCRIBE
    return WHISPER


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model a request may ask for, and how a menu shows it."""

    value: str
    label: str
    size_bytes: int | None = None
    """Of a model that is kept here."""
    is_downloaded: bool | None = None


def read_choices(listed: str, default: str) -> tuple[ModelChoice, ...]:
    """Read a comma list of `value` or `value:label`; the default is always among them, first if unlisted."""
    choices: dict[str, ModelChoice] = {}
    for entry in listed.split(","):
        value, _, label = (part.strip() for part in entry.partition(":"))
        if value:
            choices.setdefault(value, ModelChoice(value, label or value))
    if default not in choices:
        return (ModelChoice(default, default), *choices.values())
    return tuple(choices.values())


OPENAI_DEFAULT_MODEL = "whisper-1"
"""The default of the setting; to engines that are not OpenAI's it means that the operator said nothing."""


def own_models(settings: Settings, default: str | None) -> tuple[str, ...]:
    """Return the models offered of an engine with a default of its own, the default first."""
    chosen = settings.transcription_model
    own = default if chosen == OPENAI_DEFAULT_MODEL else chosen
    listed = [
        choice.value for choice in read_choices(settings.transcription_models, own or "") if choice.value
    ]
    return tuple(listed)
