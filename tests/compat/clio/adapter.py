"""Clio uploads, shows, lists and edits notes, whose ids are those of recordings."""

from __future__ import annotations

from datetime import timedelta

from tests.compat.adapters import Adapter, Shown
from tests.intake.server import IntakeServer

_NOTES = "/clio/api/notes/"


def _upload(server: IntakeServer, audio: bytes, title: str) -> int:
    answer = server.request(
        "POST", _NOTES, data={"title": title}, files={"audio_file": ("memo.wav", audio, "audio/wav")}
    )
    assert answer.status_code == 201, answer.text
    return int(answer.json()["data"]["id"])


def _show(server: IntakeServer, recording_id: int) -> Shown:
    note = server.get(f"{_NOTES}{recording_id}/")
    return Shown(note["title"], note["transcription"], seconds(note["duration"]))


def seconds(duration: str) -> float:
    """Read `HH:MM:SS[.ffffff]`."""
    hours, minutes, rest = duration.split(":")
    return timedelta(hours=int(hours), minutes=int(minutes), seconds=float(rest)).total_seconds()


def _listed(server: IntakeServer) -> set[int]:
    return {note["id"] for note in server.get(_NOTES)["results"]}


def _edit(server: IntakeServer, recording_id: int, text: str) -> None:
    answer = server.request("PATCH", f"{_NOTES}{recording_id}/", json={"transcription": text})
    assert answer.status_code == 200, answer.text


ADAPTER = Adapter(name="clio", upload=_upload, show=_show, listed=_listed, edit=_edit)
