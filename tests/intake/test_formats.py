"""Every kind of file that the documents promise to take."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.intake import recordings
from tests.intake.server import BOB, IntakeServer

pytestmark = pytest.mark.stack


@pytest.mark.parametrize("ending", recordings.ACCEPTED)
def test_every_accepted_format(server: IntakeServer, tmp_path: Path, ending: str) -> None:
    make, media_types = recordings.ACCEPTED[ending]
    answer = server.upload(make(tmp_path / "made"), f"Call.{ending}")
    assert answer.status_code == 202, answer.text
    body = answer.json()
    assert body["mime_type"] in media_types
    assert body["original_filename"] == f"Call.{ending}"
    detail = server.get(f"/api/v1/recordings/{body['id']}")
    assert detail["audio_duration"] == pytest.approx(recordings.SECONDS, abs=0.2)
    audio = server.request("GET", f"/api/v1/recordings/{body['id']}/audio")
    assert audio.headers["Content-Type"] == body["mime_type"]
    assert len(audio.content) == body["file_size"]
    assert server.request("GET", f"/api/v1/recordings/{body['id']}/audio", token=BOB).status_code == 404
    assert server.kept().temporary == frozenset()


def test_the_name_decides_nothing(server: IntakeServer, tmp_path: Path) -> None:
    make, media_types = recordings.ACCEPTED["flac"]
    answer = server.upload(make(tmp_path / "made"), "meeting.mp3")
    assert answer.json()["mime_type"] in media_types


def test_what_an_array_of_microphones_records(server: IntakeServer, tmp_path: Path) -> None:
    answer = server.upload(recordings.eight_microphones(tmp_path / "made"))
    assert (answer.status_code, answer.json().get("mime_type")) == (202, "audio/wav")


def test_a_cover_picture_makes_no_film(server: IntakeServer, tmp_path: Path) -> None:
    answer = server.upload(recordings.song_with_cover(tmp_path / "made"), "song.mp3")
    assert (answer.status_code, answer.json().get("mime_type")) == (202, "audio/mpeg")
