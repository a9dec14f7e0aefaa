"""The fields that describe an upload, from a multipart form or from the metadata of a resumable upload."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from werkzeug.datastructures import MultiDict

from speakr.api.schemas.fields import BIGGEST_ID, NO_LANGUAGE, QueryBoolean
from speakr.api.schemas.recordings import LONG_TEXT
from speakr.domain import languages
from speakr.domain.clock import parse_iso
from speakr.domain.errors import Invalid
from speakr.domain.recordings import FIRST_WORDS, Channels
from speakr.domain.transcript import Hints
from speakr.services.jobs import processing
from speakr.services.recordings.intake import UploadForm
from speakr.web.names import clean_text

_MAX_TAGS = 100
_MAX_SPEAKERS = 100

# The documented limits of prompt variables.
_MAX_VARIABLES = 50
_MAX_VARIABLE_LENGTH = 8_000
_MAX_VARIABLES_LENGTH = 32_000
_VARIABLE_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")

_JSON_FIELDS = (
    "title",
    "auto_title",
    "notes",
    "meeting_date",
    "file_last_modified",
    "file_time_hint",
    "language",
    "min_speakers",
    "max_speakers",
    "tag_ids",
    "tags",
    "folder_id",
    "keep_audio_only",
    "channels",
    "hotwords",
    "initial_prompt",
    "transcription_model",
    "prompt_variables",
)


def read_form(fields: MultiDict[str, str], filename: str) -> UploadForm:
    """Parse the fields; non-numeric values are ignored, as documented, but an invalid date is an error."""
    least, most = (
        _integer(fields, "min_speakers", _MAX_SPEAKERS),
        _integer(fields, "max_speakers", _MAX_SPEAKERS),
    )
    processing.check_speaker_counts(least, most)
    indexed, plain = _indexed_tag_ids(fields), _plain_tag_ids(fields)
    return UploadForm(
        filename=filename,
        title=_text(fields, "title", 200),
        takes_title_from_words=fields.get("auto_title") == FIRST_WORDS,
        notes=_text(fields, "notes", LONG_TEXT),
        meeting_date=_meeting_date(fields),
        file_last_modified=_milliseconds(fields, "file_last_modified"),
        file_time_hint=_milliseconds(fields, "file_time_hint"),
        tag_ids=indexed or plain,
        fallback_tag_ids=plain if indexed else (),
        tag_names=[clean_text(name, 50) for name in fields.getlist("tags")[:_MAX_TAGS]],
        folder_id=_integer(fields, "folder_id", BIGGEST_ID),
        keep_audio_only=QueryBoolean.WORDS.get((fields.get("keep_audio_only") or "").strip().lower(), False),
        channels=_channels(fields),
        hints=Hints(
            language=_language(fields),
            min_speakers=least,
            max_speakers=most,
            hotwords=_text(fields, "hotwords", 10_000),
            initial_prompt=_text(fields, "initial_prompt", 10_000),
            model=_text(fields, "transcription_model", 120),
        ),
        is_language_given="language" in fields,
        prompt_variables=_prompt_variables(fields.get("prompt_variables")),
    )


def fields_of(body: Mapping[str, Any]) -> MultiDict[str, str]:
    """Return the fields of a JSON body as a form would bring them; null is no field."""
    fields: MultiDict[str, str] = MultiDict()
    for name in _JSON_FIELDS:
        value = body.get(name)
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, str):
                fields.add(name, item)
            elif item is not None:
                fields.add(name, json.dumps(item))
    return fields


def _text(fields: MultiDict[str, str], name: str, longest: int) -> str | None:
    value = fields.get(name)
    return clean_text(value, longest) or None if value is not None else None


def _language(fields: MultiDict[str, str]) -> str | None:
    try:
        return languages.read(fields.get("language") or "")
    except languages.NoLanguage:
        raise Invalid("Invalid language", errors={"language": [NO_LANGUAGE]}) from None


def _integer(fields: MultiDict[str, str], name: str, biggest: int) -> int | None:
    return _as_integer(fields.get(name), biggest)


def _as_integer(text: str | None, biggest: int) -> int | None:
    text = (text or "").strip()
    if not text.isascii() or not text.isdigit() or len(text) > len(str(biggest)):
        return None
    number = int(text)
    return number if 1 <= number <= biggest else None


def _indexed_tag_ids(fields: MultiDict[str, str]) -> list[int]:
    """Read tag_ids[0], tag_ids[1] ... up to the first gap."""
    found = []
    for index in range(_MAX_TAGS):
        value = fields.get(f"tag_ids[{index}]")
        if value is None:
            break
        found.append(value)
    return _numbers(found)


def _plain_tag_ids(fields: MultiDict[str, str]) -> list[int]:
    """Read repeated tag_ids, and tag_id."""
    return _numbers([*fields.getlist("tag_ids")[:_MAX_TAGS], *fields.getlist("tag_id")[:1]])


def _numbers(texts: Sequence[str]) -> list[int]:
    found = [_as_integer(text, BIGGEST_ID) for text in texts]
    return list(dict.fromkeys(number for number in found if number is not None))


def _meeting_date(fields: MultiDict[str, str]) -> datetime | None:
    value = (fields.get("meeting_date") or "").strip()
    if not value:
        return None
    try:
        return parse_iso(value)
    except (ValueError, OverflowError):
        raise Invalid(
            "Invalid meeting_date format", errors={"meeting_date": ["must be an ISO 8601 time"]}
        ) from None


def _channels(fields: MultiDict[str, str]) -> Channels:
    try:
        return Channels((fields.get("channels") or Channels.AUTO).strip().lower())
    except ValueError:
        raise Invalid(
            "Invalid channels", errors={"channels": [f"must be one of: {', '.join(Channels)}"]}
        ) from None


def _milliseconds(fields: MultiDict[str, str], name: str) -> datetime | None:
    try:
        return datetime.fromtimestamp(float(fields.get(name) or "") / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _prompt_variables(text: str | None) -> Mapping[str, str]:
    """Parse the JSON object of variables; drop what does not conform to the documentation."""
    try:
        given = json.loads(text or "{}")
    except (ValueError, RecursionError):  # RecursionError: of nested brackets
        return {}
    if not isinstance(given, dict):
        return {}
    kept: dict[str, str] = {}
    for name, value in given.items():
        if not _VARIABLE_NAME.match(name) or isinstance(value, dict | list) or value is None:
            continue
        cleaned = clean_text(str(value), _MAX_VARIABLE_LENGTH)
        if (
            len(kept) < _MAX_VARIABLES
            and sum(map(len, kept.values())) + len(cleaned) <= _MAX_VARIABLES_LENGTH
        ):
            kept[name] = cleaned
    return kept
