"""The query of the Whisper ASR webservice's requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from werkzeug.datastructures import MultiDict

from speakr.domain.clips import ClipOptions
from speakr.domain.errors import Invalid
from speakr.web import clip_fields
from speakr.web.names import clean_text

OUTPUTS: Final = ("txt", "vtt", "srt", "tsv", "json")
TASKS: Final = ("transcribe", "translate")
_TRUE: Final = frozenset({"true", "1", "yes", "on"})
_MAX_TEXT: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a request asks for."""

    output: str
    has_words: bool
    options: ClipOptions


def read(query: MultiDict[str, str]) -> Wanted:
    """Read the options of a transcription; the server ignores unknown ones. Raises `Invalid`."""
    return Wanted(
        output=_one_of(query, "output", OUTPUTS),
        has_words=_is_set(query, "word_timestamps"),
        options=ClipOptions(
            language=clip_fields.language(query.get("language")),
            prompt=_text(query, "initial_prompt"),
            hotwords=_text(query, "hotwords"),
            diarize=_is_set(query, "diarize"),
            translate=_one_of(query, "task", TASKS) == "translate",
        ),
    )


def _one_of(query: MultiDict[str, str], name: str, known: tuple[str, ...]) -> str:
    value = query.get(name, known[0])
    if value not in known:
        message = f"Input should be {', '.join(known)}"
        raise Invalid(message, errors={name: [message]})
    return value


def _text(query: MultiDict[str, str], name: str) -> str | None:
    return clean_text(query.get(name) or "", _MAX_TEXT) or None


def _is_set(query: MultiDict[str, str], name: str) -> bool:
    return query.get(name, "").lower() in _TRUE
