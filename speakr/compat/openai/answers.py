"""Transcripts in the six formats of OpenAI's audio API, and as its stream of events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import orjson
from flask import Response, current_app

from speakr.compat.openai import schemas
from speakr.compat.openai.schemas_form import Wanted
from speakr.domain.clips import ClipResult, ClipSegment
from speakr.domain.errors import SpeakrError
from speakr.services import exports
from speakr.web.clips import Beat
from speakr.web.identity import actor
from speakr.web.json import json_response

SUBTITLES: Final = frozenset({"srt", "vtt"})


def render(result: ClipResult, wanted: Wanted) -> Response:
    """Write a transcript in the wanted format."""
    if wanted.form == "text":
        return _plain(f"{result.text}\n")
    if wanted.form in SUBTITLES:
        silent = [replace(segment, speaker="") for segment in result.segments]
        pieces = exports.export(actor(), wanted.form, silent).pieces
        return _plain("".join(str(piece) for piece in pieces))
    if wanted.form == "verbose_json":
        return json_response(schemas.verbose(result, wanted.task, wanted.has_words, wanted.has_segments))
    if wanted.form == "diarized_json":
        return json_response(schemas.diarized(result, wanted.task))
    return json_response({"text": result.text, "usage": schemas.usage(result)})


def _plain(text: str) -> Response:
    return current_app.response_class(text, mimetype="text/plain")


def stream(events: Iterator[ClipSegment | ClipResult | None], *, is_diarized: bool) -> Iterator[bytes]:
    """Write the events of a transcription: deltas as they are recognised, the segments with speakers, the whole text."""
    beat, is_first = Beat(), True
    try:
        for event in events:
            if isinstance(event, ClipResult):
                for segment in schemas.speaker_segments(event) if is_diarized else ():
                    yield _event(segment)
                yield _event({"type": "transcript.text.done", "text": event.text})
            elif event is not None and event.text.strip():
                text = event.text.strip()
                yield _event({"type": "transcript.text.delta", "delta": text if is_first else f" {text}"})
                is_first = False
            elif beat.is_due():
                yield b": still here\n\n"
        yield b"data: [DONE]\n\n"
    except SpeakrError as error:
        yield _event(
            {"error": {"message": error.message, "type": "server_error", "param": None, "code": error.slug}}
        )


def _event(data: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(data) + b"\n\n"
