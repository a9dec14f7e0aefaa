"""Which of several dates becomes the date of a recording."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from speakr.db import unit_of_work
from speakr.services.accounts import users
from tests.conftest import Person, wav
from tests.media.synth import write_media

HINT, LATER = "1600000000000", "1600000100000"


def bext(data: bytes, day: str, time: str) -> bytes:
    """Return a WAV file with a chunk of the broadcast wave format (EBU Tech 3285)."""
    body = struct.pack("<256s32s32s10s8sQH", b"", b"", b"", day.encode(), time.encode(), 0, 1) + bytes(254)
    file = io.BytesIO()
    file.write(data[:4] + struct.pack("<I", len(data) + len(body)) + data[8:12])
    file.write(b"bext" + struct.pack("<I", len(body)) + body + data[12:])
    return file.getvalue()


@pytest.fixture
def dated(alice: Person, upload: Callable[..., Any]) -> Callable[..., tuple[str, str]]:
    """Upload a file; return its date and where that comes from."""

    def send(data: bytes | None = None, name: str = "a.wav", **fields: str) -> tuple[str, str]:
        answer = upload(alice, data, name, **fields)
        assert answer.status_code == 202, answer.json
        detail = alice.get(f"/api/v1/recordings/{answer.json['id']}").json
        assert detail["meeting_date"] == answer.json["meeting_date"]
        return detail["meeting_date"], detail["meeting_date_source"]

    return send


def test_the_most_trustworthy_date_counts(dated: Callable[..., tuple[str, str]], tmp_path: Path) -> None:
    memo = write_media(
        tmp_path / "a.m4a", "ipod", "aac", seconds=0.5, metadata={"creation_time": "2024-05-03T10:20:30Z"}
    ).read_bytes()
    name = "2023-02-01 10-00-00.m4a"
    given = dated(memo, name, meeting_date="2022-01-01", file_last_modified=LATER, file_time_hint=HINT)
    assert given == ("2022-01-01T00:00:00Z", "given")
    modified = dated(memo, name, file_last_modified=LATER, file_time_hint=HINT)
    assert modified == ("2020-09-13T12:28:20Z", "file_last_modified")
    assert dated(memo, name, file_time_hint=HINT) == ("2024-05-03T10:20:30Z", "embedded")
    assert dated(None, name, file_time_hint=HINT) == ("2023-02-01T10:00:00Z", "file_name")
    assert dated(None, file_time_hint=HINT) == ("2020-09-13T12:26:40Z", "file_time_hint")
    assert dated(None)[1] == "upload"


@pytest.mark.on_sqlite
def test_dates_without_a_zone_are_of_the_users_zone(
    dated: Callable[..., tuple[str, str]], alice: Person, tmp_path: Path
) -> None:
    with unit_of_work():
        users.get(alice.id).preferences = {"time_zone": "Europe/Berlin"}
    field_recorder = bext(wav(0.5), "2024-05-03", "10:20:30")
    assert dated(field_recorder) == ("2024-05-03T08:20:30Z", "embedded")
    tagged = write_media(
        tmp_path / "a.mp3", "mp3", "libmp3lame", seconds=0.5, metadata={"date": "2024-05-03T10:20:30"}
    )
    assert dated(tagged.read_bytes(), "a.mp3") == ("2024-05-03T08:20:30Z", "embedded")
    assert dated(None, "20260116_1102_meeting.wav") == ("2026-01-16T10:02:00Z", "file_name")


@pytest.mark.on_sqlite
@pytest.mark.parametrize(
    ("muxer", "codec", "tag"),
    [
        ("ogg", "libopus", "date"),
        ("flac", "flac", "date"),
        ("wav", "pcm_s16le", "date"),
        ("matroska", "libopus", "creation_time"),
        ("ipod", "aac", "creation_time"),
    ],
)
def test_the_tags_of_each_container(
    dated: Callable[..., tuple[str, str]], tmp_path: Path, muxer: str, codec: str, tag: str
) -> None:
    path = write_media(
        tmp_path / "a", muxer, codec, seconds=0.5, rate=48_000, metadata={tag: "2024-05-03T10:20:30Z"}
    )
    assert dated(path.read_bytes()) == ("2024-05-03T10:20:30Z", "embedded")


@pytest.mark.on_sqlite
@pytest.mark.parametrize("hint", ["0", "-5", "99999999999999", "soon", "1e400"])
def test_hints_that_no_clock_means_are_ignored(dated: Callable[..., tuple[str, str]], hint: str) -> None:
    assert dated(None, file_time_hint=hint)[1] == "upload"


@pytest.mark.on_sqlite
def test_a_date_that_is_changed_is_a_given_one(alice: Person, upload: Callable[..., Any]) -> None:
    number = upload(alice).json["id"]
    for date, source in (("2024-05-03T10:20:30Z", "given"), (None, None)):
        alice.patch(f"/api/v1/recordings/{number}", json={"meeting_date": date})
        detail = alice.get(f"/api/v1/recordings/{number}").json
        assert (detail["meeting_date"], detail["meeting_date_source"]) == (date, source)


@pytest.mark.on_sqlite
def test_a_signed_upload_keeps_its_hint_and_its_channels(alice: Person) -> None:
    body = {"filename": "a.wav", "file_time_hint": int(HINT), "channels": "separate"}
    made = alice.post("/api/v1/uploads/signed", json=body).json
    address = made["url"].partition("/api/v1")[2]
    answer = alice.client.put(f"/api/v1{address}", data=wav(0.5), headers=made["headers"])
    assert answer.status_code == 202, answer.json
    number = answer.json.get("id") or answer.json["recording_id"]
    assert alice.get(f"/api/v1/recordings/{number}").json["meeting_date_source"] == "file_time_hint"
    jobs = alice.get(f"/api/v1/jobs?recording_id={number}").json["jobs"]
    assert len(jobs) == 1
