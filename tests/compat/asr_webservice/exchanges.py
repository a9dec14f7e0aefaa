"""What a client of the Whisper ASR webservice asks, and is answered."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.compat.exchanges import Exchange
from tests.intake.server import IntakeServer

SETTINGS = {"SPEAKR_UNAUTHENTICATED_USER": "alice"}

_AUDIO = Path(__file__).parents[2] / "connectors" / "data" / "goforward.flac"


def prepare(_: IntakeServer) -> dict[str, str]:
    """Prepare nothing: the service keeps nothing."""
    return {}


def _post(
    title: str, path: str, field: str = "audio_file", headers: Mapping[str, str] | None = None
) -> Exchange:
    return Exchange(
        title=title,
        method="POST",
        path=f"/asr-webservice{path}",
        headers=headers or {},
        files={field: _AUDIO},
    )


EXCHANGES = [
    _post("Transcribe a file", "/asr"),
    _post("As WebVTT subtitles", "/asr?output=vtt"),
    _post("As SubRip subtitles", "/asr?output=srt"),
    _post("As a table", "/asr?output=tsv"),
    _post("As JSON", "/asr?encode=true&task=transcribe&language=en&output=json"),
    _post("As JSON with words", "/asr?output=json&word_timestamps=true"),
    _post("Detect the language", "/detect-language?encode=true"),
    _post("A translation that the engine cannot make", "/asr?task=translate"),
    _post("A wrong output", "/asr?output=xml"),
    _post("A file under another name", "/asr", field="file"),
    _post("A wrong token", "/asr", headers={"Authorization": "Bearer wrong"}),
    Exchange(title="A method that does not exist", path="/asr-webservice/asr", headers={}),
    Exchange(title="An address that does not exist", path="/asr-webservice/nothing", headers={}),
]
