"""Multipart forms: audio to transcribe, and a clip of a segment."""

from __future__ import annotations

from collections.abc import Mapping

from werkzeug.datastructures import MultiDict

from speakr.domain import languages
from speakr.domain.clips import ClipOptions
from speakr.domain.errors import Invalid
from speakr.domain.transcript import Hints
from speakr.services.recordings.intake import UploadForm
from speakr.services.speech import model_names
from speakr.web.multipart import ReceivedFile, ReceivedUpload

USUAL_MODELS = ("tiny.en", "large-v3-turbo")
"""The defaults of the API: clients send them without choosing. They stand for the engine's default if it has no such model."""
_TRUE = {"true", "1", "on", "yes", ""}
_MAX_ID_LENGTH = 200
_NO_AUDIO = ("text/", "image/")


def upload_form(received: ReceivedUpload) -> UploadForm:
    """Read the form of a new transcription."""
    file, fields = audio_file(received), received.fields
    one = None if fields.get("diarize", "").strip().lower() in _TRUE else 1
    language = language_of(fields.get("language"))
    return UploadForm(
        filename=file.filename,
        hints=Hints(
            language=language, min_speakers=one, max_speakers=one, model=model_of(fields.get("model_name"))
        ),
        is_language_given=language is not None,
    )


def audio_file(received: ReceivedUpload) -> ReceivedFile:
    """Return the file; one that calls itself a text or a picture is refused before it is opened."""
    file = received.require_file()
    if (file.declared_mime_type or "").startswith(_NO_AUDIO):
        raise Invalid("File must be an audio file")
    return file


def model_of(name: str | None) -> str | None:
    """Return the model that a request names, or None for the default."""
    return model_names.choose(name or None, USUAL_MODELS)


class ClipForm:
    """The form of a clip; `segment_id` is there once it has been read."""

    segment_id = ""

    def read(self, fields: MultiDict[str, str]) -> ClipOptions:
        """Read the fields. Raises `Invalid`."""
        self.segment_id = fields.get("segment_id", "").strip()[:_MAX_ID_LENGTH]
        if not self.segment_id:
            raise Invalid("segment_id is required", errors={"segment_id": ["Field required"]})
        start, end = (_seconds(fields, name) for name in ("start_time", "end_time"))
        if start is not None and end is not None and not 0 <= start < end:
            raise Invalid("end_time must be after start_time")
        return clip_options(fields.get("model_name"), fields.get("language"))


def clip_options(model: str | None, language: str | None) -> ClipOptions:
    """Return how to transcribe a clip."""
    return ClipOptions(language=language_of(language), model=model_of(model))


def _seconds(fields: Mapping[str, str], name: str) -> float | None:
    text = fields.get(name, "").strip()
    try:
        return float(text) if text else None
    except ValueError:
        raise Invalid(f"{name} must be a number of seconds") from None


def language_of(text: str | None) -> str | None:
    """Return the code of a language; raises `Invalid` for anything else."""
    try:
        return languages.read(text or "")
    except languages.NoLanguage:
        raise Invalid("language must be an ISO 639-1 code such as en") from None
