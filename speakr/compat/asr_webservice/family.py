"""The Whisper ASR webservice as an API family: without accounts, with FastAPI's error format."""

from __future__ import annotations

from flask import Response

from speakr.compat.asr_webservice.routes import blp
from speakr.compat.asr_webservice.schemas_document import document
from speakr.web.authenticators.api_token import ApiToken
from speakr.web.authenticators.fixed_owner import FixedOwner
from speakr.web.documents import Documents
from speakr.web.failures import Failure
from speakr.web.families import ApiFamily
from speakr.web.json import json_response

_NO_FILE = {"no_file", "no_file_selected"}


def render(failure: Failure) -> Response:
    """Write `{detail}`: a sentence, or with status 422 a list of the fields that are wrong."""
    fields = {"audio_file": ["Field required"]} if failure.code in _NO_FILE else failure.errors
    if not fields:
        return json_response({"detail": failure.message}, failure.status)
    problems = [
        {"type": "value_error", "loc": ["body" if name == "audio_file" else "query", name], "msg": text}
        for name, texts in fields.items()
        for text in texts
    ]
    return json_response({"detail": problems}, 422)


FAMILY = ApiFamily(
    name="asr_webservice",
    prefix="/asr-webservice",
    blueprints=(blp,),
    authenticators=(ApiToken(query_parameter=None), FixedOwner()),
    render=render,
    documents=Documents(build=document, page=None),
    credential_hint="Send an API token as 'Authorization: Bearer <token>'.",
)
