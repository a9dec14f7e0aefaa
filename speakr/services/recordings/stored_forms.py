"""The fields of an upload as JSON, for uploads whose bytes come later than their fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from speakr.domain.recordings import Channels
from speakr.domain.transcript import Hints
from speakr.services.recordings.intake import UploadForm

_TIMES = ("meeting_date", "file_last_modified", "file_time_hint")


def to_json(form: UploadForm) -> dict[str, Any]:
    """Return the fields without the file's name, which has a column of its own."""
    stored = asdict(form)
    del stored["filename"]
    for name in _TIMES:
        stored[name] = stored[name] and stored[name].isoformat()
    return stored


def from_json(stored: Mapping[str, Any], filename: str) -> UploadForm:
    """Return the fields with the name that the file has now."""
    values = {**stored, "filename": filename, "hints": Hints(**stored["hints"])}
    for name in _TIMES:
        values[name] = datetime.fromisoformat(values[name]) if values.get(name) else None
    values["channels"] = Channels(values.get("channels", Channels.AUTO))
    return UploadForm(**values)
