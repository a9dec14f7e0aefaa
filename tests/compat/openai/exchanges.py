"""What a client of OpenAI's audio API asks, and is answered."""

from __future__ import annotations

import base64
from pathlib import Path

from tests.compat.exchanges import Exchange
from tests.intake.server import IntakeServer

_DATA = Path(__file__).parents[2] / "connectors" / "data"
_AUDIO = {"file": _DATA / "goforward.flac"}
_TRANSCRIPTIONS = "/v1/audio/transcriptions"


def prepare(_: IntakeServer) -> dict[str, str]:
    """Return a reference recording of a known speaker as a data URL."""
    reference = base64.b64encode((_DATA / "librivox_0870.flac").read_bytes()).decode()
    return {"reference": f"data:audio/flac;base64,{reference}"}


def _transcription(title: str, **form: str) -> Exchange:
    return Exchange(
        title=title,
        method="POST",
        path=_TRANSCRIPTIONS,
        form={"model": "whisper-1", **form},
        files=_AUDIO,
    )


_SPEAKERS = {
    "response_format": "diarized_json",
    "known_speaker_names[]": "Jane",
    "known_speaker_references[]": "{reference}",
}

EXCHANGES = [
    _transcription("Transcribe a file"),
    _transcription("As plain text", response_format="text"),
    _transcription("As SubRip subtitles", response_format="srt"),
    _transcription("As WebVTT subtitles", response_format="vtt"),
    _transcription("With segments", response_format="verbose_json"),
    _transcription("With words", **{"response_format": "verbose_json", "timestamp_granularities[]": "word"}),
    _transcription("With speakers, of whom one is known", **_SPEAKERS),
    _transcription("As a stream", stream="true"),
    _transcription("As a stream with speakers", stream="true", response_format="diarized_json"),
    Exchange(
        title="A translation that the engine cannot make",
        method="POST",
        path="/v1/audio/translations",
        form={"model": "whisper-1"},
        files=_AUDIO,
    ),
    Exchange(title="List the models", path="/v1/models"),
    Exchange(title="Return a model", path="/v1/models/whisper-1"),
    Exchange(title="A model that does not exist", path="/v1/models/gpt-9"),
    _transcription("A wrong format", response_format="xml"),
    Exchange(title="No file", method="POST", path=_TRANSCRIPTIONS, form={"model": "whisper-1"}),
    Exchange(title="No key", path="/v1/models", headers={}),
    Exchange(title="An address that does not exist", path="/v1/files"),
    Exchange(title="A method that does not exist", path=_TRANSCRIPTIONS),
]
