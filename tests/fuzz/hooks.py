"""Hooks of schemathesis: existing ids, the token that must stay valid, and the server's own rules.

Loaded by its command line; the ids come in `SPEAKR_FUZZ_LIBRARY`.
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any

import schemathesis
from schemathesis.core.failures import ServerError
from schemathesis.generation import GenerationMode
from schemathesis.openapi.checks import RejectedPositiveData

from speakr.api.schemas.users import MAX_PASSWORD_LENGTH, MIN_PASSWORD_LENGTH
from speakr.services.system import system_settings
from tests.conftest import wav
from tests.fuzz.library import HOOK, HOW_MANY, LABELS
from tests.fuzz.rules import COMPARED, FIELDS_COMPARED, RULES, WAITS_FOR_WORKER

LIBRARY: dict[str, Any] = json.loads(os.environ["SPEAKR_FUZZ_LIBRARY"])
IDS: dict[str, list[int]] = LIBRARY["ids"]
OWN = {"user_id": LIBRARY["own_user_id"], "token_id": LIBRARY["own_token_id"]}
"""Objects of the caller: without them every later request would get a 401 and test nothing."""

ENDING = {"mergeSpeaker"}
"""Operations after which what the path names is gone, beside those that delete."""

KEY = "Idempotency-Key"
AUDIO = wav(0.2)
SETTINGS = sorted(system_settings.KNOWN)
MAX_URL_LENGTH = 500
SMALL = 10_000_000
"""What every limit takes; larger ones may be wrong, and shall then be refused."""
NAMED = {
    "addMember": ("user_id", "user_id"),
    "addTags": ("tag_id", "tag_id"),
    "mergeSpeaker": ("into_id", "speaker_id"),
    "shareRecording": ("user_id", "user_id"),
}
"""Operations whose bodies name something by its id: the field -> of what kind it is."""


schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Lead most ids to things that are there, and that belong together; for 404 is an answer too, not all.

    The second half of the things is there to be deleted.
    """
    if context.operation.definition.raw["operationId"] == "resetSetting" and path_parameters:
        name = str(path_parameters["name"])
        return path_parameters if len(name) % 2 else {"name": SETTINGS[len(name) // 2 % len(SETTINGS)]}
    numbers = [value for value in (path_parameters or {}).values() if _is_an_id(value)]
    if not path_parameters or len(numbers) != len(path_parameters) or sum(numbers) % 4 == 0:
        return path_parameters
    half = HOW_MANY // 2
    operation = context.operation.definition.raw
    is_the_end = context.operation.method.upper() == "DELETE" or operation["operationId"] in ENDING
    place = sum(numbers) % half + (half if is_the_end else 0)
    return {name: IDS[name][place] if name in IDS else value for name, value in path_parameters.items()}


@schemathesis.hook
def map_case(_context: Any, case: schemathesis.Case) -> schemathesis.Case:
    """Replace values that cannot be guessed, or few requests would get past the first check.

    A deliberately invalid request stays as it is, except for what would break all later ones.
    """
    operation = case.operation.definition.raw["operationId"]
    if isinstance(case.body, dict):
        _protect(operation, case.body)
    if case.meta is None or case.meta.generation.mode is not GenerationMode.NEGATIVE:
        _bind_key(case)
        if isinstance(case.body, dict) and len(case.body) % 5:
            _fill_in(operation, case.path_parameters or {}, case.body)
    return case


def _bind_key(case: schemathesis.Case) -> None:
    """Give the same request the same key and another one another, for a key is bound to one request."""
    key = (case.headers or {}).get(KEY)
    if isinstance(key, str) and len(key) % 4 and key.isascii() and key.isprintable():
        identity = repr((case.method, case.path, case.path_parameters, case.query, case.body))
        case.headers[KEY] = f"{key}{hashlib.sha256(identity.encode(errors='replace')).hexdigest()}"[-255:]


def _protect(operation: str, body: dict[str, Any]) -> None:
    if operation == "updateCurrentUser":
        _keep_password(body)
    elif operation == "batchDeleteRecordings" and isinstance(body.get("recording_ids"), list):
        *kept, doomed = IDS["recording_id"]
        body["recording_ids"] = [
            doomed if type(one) is int and one in kept else one for one in body["recording_ids"]
        ]
    elif operation == "updateSettings":
        body.update({name: _kept_open(name, value) for name, value in body.items()})


def _fill_in(operation: str, path: dict[str, Any], body: dict[str, Any]) -> None:
    if operation == "uploadRecording" and "file" in body:
        body["file"] = AUDIO
    elif operation in {"createWebhook", "updateWebhook"} and _is_an_address(body.get("url")):
        body.update(url=HOOK["url"])
        if body.get("allow_http", False) is False:
            body["allow_http"] = True
    elif operation == "assignSpeakers" and isinstance(body.get("speaker_map"), dict):
        body["speaker_map"] = dict(zip(LABELS, body["speaker_map"].values(), strict=False))
    elif operation == "splitSpeaker" and body.get("recording_ids"):
        body["recording_ids"] = [_recording_of(path.get("speaker_id"))]
    elif operation in NAMED:
        field, kind = NAMED[operation]
        if _is_an_id(body.get(field, 1)):
            body[field] = IDS[kind][len(body) % HOW_MANY]


def _recording_of(speaker_id: Any) -> int:
    """Return a recording in which a speaker was named when all began."""
    known = IDS["speaker_id"]
    return IDS["recording_id"][known.index(speaker_id) if speaker_id in known else 0]


def _keep_password(body: dict[str, Any]) -> None:
    """Leave a password out that would be taken."""
    password = body.get("password")
    if (
        isinstance(password, str)
        and MIN_PASSWORD_LENGTH <= len(password.replace("\0", "")) <= MAX_PASSWORD_LENGTH
    ):
        del body["password"]


def _kept_open(setting: str, value: Any) -> Any:
    """Return a setting's value, unless all that follows would be refused because of it."""
    if setting in {"enable_folders", "enable_internal_sharing", "users_can_delete"} and value is False:
        return True
    is_limit = setting.startswith("default_") and type(value) is int and 0 <= value <= SMALL
    return None if is_limit else value


@schemathesis.hook
def filter_case(_context: Any, case: schemathesis.Case) -> bool:
    """Leave the asking account and its token alone."""
    given = case.path_parameters or {}
    return case.method == "GET" or all(str(given.get(name)) != str(own) for name, own in OWN.items())


@schemathesis.hook
def filter_failure(_context: Any, failure: Any, case: schemathesis.Case, response: Any) -> bool:
    """Return whether a failure counts.

    A rule about existing data may refuse a request of the right shape, and no worker runs for what waits for one.
    """
    operation = case.operation.definition.raw["operationId"]
    if isinstance(failure, ServerError) and response.status_code == 503 and operation in WAITS_FOR_WORKER:
        return bool(json.loads(response.content)["code"] != "busy")
    if not isinstance(failure, RejectedPositiveData) or response.status_code != 400:
        return True
    answer = json.loads(response.content)
    if answer["code"] in RULES:
        return False
    fields = {field.partition(".")[0] for field in answer.get("errors", {})}
    return not fields or not all(
        (operation, field) in FIELDS_COMPARED or field in COMPARED for field in fields
    )


def _is_an_address(value: Any) -> bool:
    return isinstance(value, str) and "://" in value and len(value) <= MAX_URL_LENGTH


def _is_an_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31
