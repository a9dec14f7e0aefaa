"""The form of OpenAI's transcription requests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from werkzeug.datastructures import MultiDict

from speakr.domain.clips import ClipOptions
from speakr.domain.errors import Invalid
from speakr.web import clip_fields
from speakr.web.names import clean_text

FORMATS: Final = ("json", "text", "srt", "vtt", "verbose_json", "diarized_json")
_GRANULARITIES: Final = frozenset({"word", "segment"})
_MAX_TEXT: Final = 10_000
_MAX_NAME: Final = 120
_MAX_TEMPERATURE: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a request asks for besides the transcript itself."""

    form: str
    task: str
    is_stream: bool
    has_words: bool
    has_segments: bool

    @property
    def is_diarized(self) -> bool:
        """Whether the answer names speakers."""
        return self.form == "diarized_json"


def read_wanted(fields: MultiDict[str, str], *, is_translation: bool) -> Wanted:
    """Read which answer is wanted. Raises `Invalid`."""
    form = (fields.get("response_format") or "json").strip().lower()
    if form not in FORMATS:
        raise _wrong("response_format", f"must be one of {', '.join(FORMATS)}")
    granularities = {*_all(fields, "timestamp_granularities")}
    if granularities - _GRANULARITIES:
        raise _wrong("timestamp_granularities", "must be word or segment")
    return Wanted(
        form=form,
        task="translate" if is_translation else "transcribe",
        is_stream=(fields.get("stream") or "").strip().lower() in {"true", "1"},
        has_words="word" in granularities,
        has_segments="segment" in granularities or not granularities,
    )


def read_options(fields: MultiDict[str, str], wanted: Wanted, known: Callable[[str], str]) -> ClipOptions:
    """Read how to transcribe. known: returns the name of a model, or raises `NotFound`. Raises `Invalid`."""
    if not (fields.get("model") or "").strip():
        raise _wrong("model", "is required")
    name = known(clean_text(fields["model"], _MAX_NAME))
    _check_temperature(fields.get("temperature") or "0")
    names = _all(fields, "known_speaker_names")
    language = fields.get("language") or next(iter(_all(fields, "languages")), None)
    return ClipOptions(
        language=None if wanted.task == "translate" else clip_fields.language(language),
        prompt=clean_text(fields.get("prompt") or "", _MAX_TEXT) or None,
        hotwords=clean_text(", ".join(_all(fields, "keywords")), _MAX_TEXT) or None,
        model=name,
        diarize=wanted.is_diarized,
        known_speakers=clip_fields.known_speakers(names, _all(fields, "known_speaker_references"))
        if wanted.is_diarized
        else (),
        translate=wanted.task == "translate",
        live=wanted.is_stream,
    )


def _all(fields: MultiDict[str, str], name: str) -> list[str]:
    """Return the values of a list: clients write its name with brackets or without."""
    return [*fields.getlist(f"{name}[]"), *fields.getlist(name)]


def _check_temperature(text: str) -> None:
    """Check the sampling temperature; engines here choose their own."""
    try:
        is_right = 0 <= float(text) <= _MAX_TEMPERATURE  # false for nan
    except ValueError:
        is_right = False
    if not is_right:
        raise _wrong("temperature", "must be a number from 0 to 1")


def _wrong(field: str, message: str) -> Invalid:
    return Invalid(f"{field} {message}", errors={field: [message]})
