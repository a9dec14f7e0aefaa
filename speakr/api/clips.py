"""Transcriptions of files that are not kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson
from flask import Response
from flask.views import MethodView
from werkzeug.datastructures import MultiDict

from speakr.api.blueprint import noun
from speakr.api.schemas.clips import ClipForm, ClipOut
from speakr.api.schemas.fields import QueryBoolean
from speakr.domain.clips import ClipOptions, ClipResult, ClipSegment
from speakr.domain.errors import Invalid, SpeakrError
from speakr.domain.permissions import Scope
from speakr.web import clip_fields, clips
from speakr.web.identity import needs
from speakr.web.json import json_response
from speakr.web.multipart import multipart_body
from speakr.web.names import clean_text
from speakr.web.rate_limits import RateClass

blp = noun("transcriptions", "Transcripts of files that are not kept")

_MAX_TEXT = 10_000
_MAX_NUMBER = 100


@blp.route("/transcriptions")
class Transcriptions(MethodView):
    """The transcript of a file, at once."""

    @needs(Scope.PROCESS, RateClass.PROCESSING)
    @blp.doc(operationId="transcribeFile", **multipart_body(ClipForm))
    @blp.response(200, ClipOut)
    def post(self) -> Response:
        """Transcribe a file and answer with the transcript; nothing is kept.

        With `stream=true` the answer is a stream of server-sent events: `segment` for each segment as it is recognised,
        then `result`, or `error`. 503 with `Retry-After` when no worker is free in time. A client that goes away stops
        the work.
        """
        asked: dict[str, bool] = {}

        def read(fields: MultiDict[str, str]) -> ClipOptions:
            asked.update(words=_flag(fields, "words"), stream=_flag(fields, "stream"))
            return replace(_options(fields), live=asked["stream"])

        job_id = clips.receive(read)
        if asked["stream"]:
            return clips.event_stream(
                clips.events_of(job_id), lambda events: _events(events, has_words=asked["words"])
            )
        return json_response(_body(clips.result_of(job_id), has_words=asked["words"]))


def _options(fields: MultiDict[str, str]) -> ClipOptions:
    return ClipOptions(
        language=clip_fields.language(fields.get("language")),
        prompt=_text(fields, "initial_prompt"),
        hotwords=_text(fields, "hotwords"),
        model=_text(fields, "transcription_model"),
        diarize=_flag(fields, "diarize"),
        translate=_flag(fields, "translate"),
        min_speakers=_number(fields, "min_speakers"),
        max_speakers=_number(fields, "max_speakers"),
        known_speakers=clip_fields.known_speakers(
            fields.getlist("known_speaker_names"), fields.getlist("known_speaker_references")
        ),
    )


def _text(fields: MultiDict[str, str], name: str) -> str | None:
    return clean_text(fields.get(name) or "", _MAX_TEXT) or None


def _flag(fields: MultiDict[str, str], name: str) -> bool:
    found = QueryBoolean.WORDS.get((fields.get(name) or "false").strip().lower())
    if found is None:
        raise Invalid(f"{name} must be true or false", errors={name: ["must be true or false"]})
    return found


def _number(fields: MultiDict[str, str], name: str) -> int | None:
    text = (fields.get(name) or "").strip()
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:4]) <= _MAX_NUMBER:
        message = f"must be a number from 1 to {_MAX_NUMBER}"
        raise Invalid(f"{name} {message}", errors={name: [message]})
    return int(text[:4])


def _events(events: Iterator[ClipSegment | ClipResult | None], *, has_words: bool) -> Iterator[bytes]:
    beat = clips.Beat()
    try:
        for event in events:
            if isinstance(event, ClipResult):
                yield _event("result", _body(event, has_words=has_words))
            elif event is not None:
                yield _event("segment", _segment(event, is_labelled=False, has_words=False))
            elif beat.is_due():
                yield b": still here\n\n"
    except SpeakrError as error:
        yield _event("error", {"error": error.message, "code": error.slug})


def _event(name: str, data: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: ".encode() + orjson.dumps(data) + b"\n\n"


def _body(result: ClipResult, *, has_words: bool) -> dict[str, Any]:
    return {
        "text": result.text,
        "language": result.language,
        "duration_seconds": result.duration_seconds,
        "model": result.model,
        "speakers": list(result.speakers),
        "segments": [
            _segment(each, is_labelled=bool(result.speakers), has_words=has_words) for each in result.segments
        ],
        "ignored_options": list(result.ignored_options),
    }


def _segment(segment: ClipSegment, *, is_labelled: bool, has_words: bool) -> dict[str, Any]:
    body: dict[str, Any] = {
        "speaker": segment.speaker if is_labelled else None,
        "sentence": segment.text,
        "start_time": segment.start,
        "end_time": segment.end,
        "confidence": segment.confidence,
    }
    if has_words:
        body["words"] = [
            {"word": word.text, "start": word.start, "end": word.end, "probability": word.probability}
            for word in segment.words
        ]
    return body
