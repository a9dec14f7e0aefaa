"""The routes of OpenAI's audio API."""

from __future__ import annotations

from typing import Any, Final

from flask import Blueprint, Response
from werkzeug.datastructures import MultiDict

from speakr.compat.openai import answers, schemas_form
from speakr.compat.openai.schemas_form import Wanted
from speakr.domain.clips import ClipOptions
from speakr.domain.errors import NotFound
from speakr.domain.permissions import Scope
from speakr.services.speech import engines
from speakr.web import clips
from speakr.web.identity import needs
from speakr.web.json import json_response
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
_MAX_NAME: Final = 120


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
        found.append(schemas_form.read_wanted(fields, is_translation=is_translation))
        return schemas_form.read_options(fields, found[0], _known)

    job_id = clips.receive(read)
    wanted = found[0]
    if wanted.is_stream:
        return clips.event_stream(
            clips.events_of(job_id), lambda events: answers.stream(events, is_diarized=wanted.is_diarized)
        )
    return answers.render(clips.result_of(job_id), wanted)


def _names() -> list[str]:
    return list(dict.fromkeys([*ALIASES, *engines.offered_models()]))


def _known(name: str) -> str:
    if name not in _names():
        raise NotFound(f"The model '{name[:_MAX_NAME]}' does not exist.", code="model_not_found")
    return name


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "speakr"}
