"""The routes of OpenAI's audio API."""

from __future__ import annotations

from typing import Any, Final

from flask import Blueprint, Response
from werkzeug.datastructures import MultiDict

from speakr.compat.openai import answers
from speakr.compat.openai.answers import Wanted
from speakr.domain.clips import ClipOptions
from speakr.domain.errors import Invalid, NotFound
from speakr.domain.permissions import Scope
from speakr.services.speech import engines
from speakr.web import clip_fields, clips
from speakr.web.identity import needs
from speakr.web.json import json_response
from speakr.web.names import clean_text
from speakr.web.rate_limits import RateClass

blp = Blueprint("audio", __name__)

ALIASES: Final = (
    "whisper-1",
    "gpt-4o-transcribe",
    "gpt-4o-mini-transcribe",
    "gpt-4o-transcribe-diarize",
    "gpt-transcribe",
)
"""OpenAI's names; each means the default model of the engine."""
_GRANULARITIES: Final = frozenset({"word", "segment"})
_MAX_TEXT: Final = 10_000
_MAX_NAME: Final = 120
_MAX_TEMPERATURE: Final = 1.0


@blp.post("/audio/transcriptions", strict_slashes=False)
@needs(Scope.PROCESS, RateClass.PROCESSING)
def transcribe() -> Response:
    """Transcribe a file."""
    return _answer(is_translation=False)


@blp.post("/audio/translations", strict_slashes=False)
@needs(Scope.PROCESS, RateClass.PROCESSING)
def translate() -> Response:
    """Transcribe a file in English, whatever is spoken."""
    return _answer(is_translation=True)


@blp.get("/models", strict_slashes=False)
@needs(Scope.READ, RateClass.GET)
def list_models() -> Response:
    """List OpenAI's names and the engine's own models."""
    return json_response({"object": "list", "data": [_model(name) for name in _names()]})


@blp.get("/models/<path:name>", strict_slashes=False)
@needs(Scope.READ, RateClass.GET)
def get_model(name: str) -> Response:
    """Return one model."""
    return json_response(_model(_known(name)))


def _answer(*, is_translation: bool) -> Response:
    found: list[Wanted] = []

    def read(fields: MultiDict[str, str]) -> ClipOptions:
        found.append(_wanted(fields, is_translation=is_translation))
        return _options(fields, found[0])

    job_id = clips.receive(read)
    wanted = found[0]
    if wanted.is_stream:
        return clips.event_stream(
            clips.events_of(job_id), lambda events: answers.stream(events, is_diarized=wanted.is_diarized)
        )
    return answers.render(clips.result_of(job_id), wanted)


def _wanted(fields: MultiDict[str, str], *, is_translation: bool) -> Wanted:
    form = (fields.get("response_format") or "json").strip().lower()
    if form not in answers.FORMATS:
        raise _wrong("response_format", f"must be one of {', '.join(answers.FORMATS)}")
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


def _options(fields: MultiDict[str, str], wanted: Wanted) -> ClipOptions:
    if not (fields.get("model") or "").strip():
        raise _wrong("model", "is required")
    name = _known(clean_text(fields["model"], _MAX_NAME))
    _check_temperature(fields.get("temperature") or "0")
    names = _all(fields, "known_speaker_names")
    language = fields.get("language") or (_all(fields, "languages") or [None])[0]
    return ClipOptions(
        language=None if wanted.task == "translate" else clip_fields.language(language),
        prompt=clean_text(fields.get("prompt") or "", _MAX_TEXT) or None,
        hotwords=clean_text(", ".join(_all(fields, "keywords")), _MAX_TEXT) or None,
        model=None if name in ALIASES else name,
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


def _names() -> list[str]:
    return list(dict.fromkeys([*ALIASES, *engines.offered_models()]))


def _known(name: str) -> str:
    if name not in _names():
        raise NotFound(f"The model '{name[:_MAX_NAME]}' does not exist.", code="model_not_found")
    return name


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "speakr"}


def _wrong(field: str, message: str) -> Invalid:
    return Invalid(f"{field} {message}", errors={field: [message]})
