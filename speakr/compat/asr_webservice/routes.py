"""The routes of the Whisper ASR webservice: options in the query, the file as `audio_file`."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from flask import Blueprint, Response, current_app, request

from speakr.compat.asr_webservice import schemas
from speakr.domain.clips import ClipOptions, ClipResult
from speakr.domain.errors import Invalid
from speakr.domain.languages import english_name
from speakr.domain.permissions import Scope
from speakr.services import exports
from speakr.web import clip_fields, clips
from speakr.web.identity import actor, needs
from speakr.web.json import json_response
from speakr.web.names import clean_text
from speakr.web.rate_limits import RateClass

blp = Blueprint("asr", __name__)

OUTPUTS: Final = ("txt", "vtt", "srt", "tsv", "json")
_TASKS: Final = ("transcribe", "translate")
_MAX_TEXT: Final = 10_000


@blp.post("/asr", strict_slashes=False)
@needs(Scope.PROCESS, RateClass.PROCESSING)
def transcribe() -> Response:
    """Transcribe a file."""
    output, task = _one_of("output", OUTPUTS), _one_of("task", _TASKS)
    options = ClipOptions(
        language=clip_fields.language(request.args.get("language")),
        prompt=_text("initial_prompt"),
        hotwords=_text("hotwords"),
        diarize=_flag("diarize"),
        translate=task == "translate",
    )
    result = clips.result_of(clips.receive(lambda _: options, file_field="audio_file"))
    if output == "json":
        return json_response(schemas.body(result, has_words=_flag("word_timestamps")))
    return current_app.response_class(_written(result, output), mimetype="text/plain")


@blp.post("/detect-language", strict_slashes=False)
@needs(Scope.PROCESS, RateClass.PROCESSING)
def detect_language() -> Response:
    """Tell in which language a file is spoken."""
    result = clips.result_of(clips.receive(lambda _: ClipOptions(), file_field="audio_file"))
    code = result.language or "und"
    sure = result.language_probability
    return json_response(
        {
            "detected_language": english_name(code),
            "language_code": code,
            "confidence": 1.0 if sure is None else sure,
        }
    )


def _one_of(name: str, known: tuple[str, ...]) -> str:
    value = request.args.get(name, known[0])
    if value not in known:
        message = f"Input should be {', '.join(known)}"
        raise Invalid(message, errors={name: [message]})
    return value


def _text(name: str) -> str | None:
    return clean_text(request.args.get(name) or "", _MAX_TEXT) or None


def _flag(name: str) -> bool:
    return request.args.get(name, "").lower() in {"true", "1", "yes", "on"}


def _written(result: ClipResult, output: str) -> str:
    if output == "txt":
        return "".join(f"{segment.text.strip()}\n" for segment in result.segments)
    if output == "tsv":
        rows = (f"{_ms(each.start)}\t{_ms(each.end)}\t{_cell(each.text)}\n" for each in result.segments)
        return "".join(["start\tend\ttext\n", *rows])
    segments = [each if result.speakers else replace(each, speaker="") for each in result.segments]
    return "".join(str(piece) for piece in exports.export(actor(), output, segments).pieces)


def _ms(seconds: float) -> int:
    return round(1000 * seconds)


def _cell(text: str) -> str:
    return " ".join(text.split())
