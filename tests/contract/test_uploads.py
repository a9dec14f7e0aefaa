"""Uploads: what comes in, what is answered, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import multipart, wav
from tests.contract.library import Library, check_error
from tests.contract.shapes import ERROR, MOMENT, unlike
from tests.media.synth import write_media

ACCEPTED: dict[str, Any] = {
    "id": 1,
    "title": "Recording - meeting.mp3",
    "status": "PENDING",
    "created_at": MOMENT,
    "meeting_date": MOMENT,
    "file_size": 1,
    "original_filename": "meeting.mp3",
    "mime_type": "audio/mpeg",
    "notes": "a text",
}
PATH = "/recordings/upload"


def test_the_documented_example(library: Library) -> None:
    body, content_type = multipart(wav(0.2), "audio.mp3", {"notes": "Quick test upload", "language": "en"})
    alice = library.people["alice"]
    answer = alice.client.post(
        f"/api/v1{PATH}", data=body, content_type=content_type, headers={"X-API-Token": alice.token}
    )
    assert answer.status_code == 202
    assert unlike(ACCEPTED, answer.json) == []
    accepted = answer.json
    assert (accepted["title"], accepted["status"], accepted["original_filename"], accepted["notes"]) == (
        "Recording - audio.mp3",
        "PENDING",
        "audio.mp3",
        "Quick test upload",
    )
    assert accepted["file_size"] == len(wav(0.2))
    status = library.make("GET", f"/recordings/{accepted['id']}/status")
    assert (status["status"], status["queue_position"]) == ("PENDING", 5)


def test_without_notes_they_are_null(library: Library) -> None:
    answer = library.upload()
    assert unlike(ACCEPTED | {"notes": None}, answer.json) == []
    assert "duplicate_warning" not in answer.json


def test_what_a_form_can_say(library: Library) -> None:
    accepted = library.upload(
        title="  A title  ",
        notes="Notes",
        meeting_date="2024-01-15T10:00:00+01:00",
        folder_id="{folder}",
        keep_audio_only="true",
    ).json
    shown = library.make("GET", f"/recordings/{accepted['id']}")
    assert (accepted["title"], accepted["meeting_date"]) == ("A title", "2024-01-15T09:00:00Z")
    assert (shown["title"], shown["notes"], shown["folder_id"], shown["keep_audio_only"]) == (
        "A title",
        "Notes",
        library.ids["folder"],
        True,
    )


def test_what_is_said_about_the_speech_reaches_the_engine(library: Library) -> None:
    library.notifier.notifications.clear()
    library.upload(
        wav(1.0),
        language="de",
        min_speakers=2,
        max_speakers=3,
        hotwords="Speakr",
        initial_prompt="A talk.",
        transcription_model="unknown-models-are-dropped",
    )
    library.work()
    hints = library.engines.transcriber.hints[-1]
    assert (hints.language, hints.min_speakers, hints.max_speakers) == ("de", 2, 3)
    assert (hints.hotwords, hints.initial_prompt, hints.model) == ("Speakr", "A talk.", None)


def test_numbers_that_are_none_count_as_absent(library: Library) -> None:
    library.notifier.notifications.clear()
    accepted = library.upload(wav(1.0), min_speakers="two", max_speakers="")
    assert accepted.status_code == 202
    library.work()
    hints = library.engines.transcriber.hints[-1]
    assert (hints.min_speakers, hints.max_speakers) == (None, None)


def test_the_first_tag_speaks_where_the_form_is_silent(library: Library) -> None:
    library.notifier.notifications.clear()
    library.upload(wav(1.0), tag_id="{tag}", max_speakers=3)
    library.work()
    hints = library.engines.transcriber.hints[-1]
    assert (hints.language, hints.min_speakers, hints.max_speakers) == ("en", 1, 3)


@pytest.mark.parametrize(
    ("fields", "tags"),
    [
        ({"tag_ids[0]": "{group_tag}", "tag_ids[1]": "{tag}"}, ["group_tag", "tag"]),
        ({"tag_ids[0]": "{tag}", "tag_ids[2]": "{group_tag}"}, ["tag"]),
        ({"tag_id": "{tag}"}, ["tag"]),
        ({"tag_ids[0]": "{tag}", "tag_id": "{group_tag}"}, ["tag"]),
        ({"tag_ids[0]": "{bobs_tag}", "tag_ids[1]": "{nobody}", "tag_ids[2]": "{tag}"}, ["tag"]),
        ({"tag_ids[0]": "{bobs_tag}", "tag_id": "{tag}"}, ["tag"]),
        ({"tag_id": "junk"}, []),
    ],
)
def test_tags_in_the_documented_forms(library: Library, fields: dict[str, str], tags: list[str]) -> None:
    accepted = library.upload(**fields).json
    shown = library.make("GET", f"/recordings/{accepted['id']}")["tags"]
    assert [tag["id"] for tag in shown] == [library.ids[name] for name in tags]


@pytest.mark.parametrize("folder", ["{bobs_folder}", "{nobody}", "junk"])
def test_a_folder_that_cannot_be_used_is_passed_over(library: Library, folder: str) -> None:
    accepted = library.upload(folder_id=folder).json
    assert library.make("GET", f"/recordings/{accepted['id']}")["folder"] is None


def test_the_meeting_was_when_the_file_was_written_unless_said_otherwise(library: Library) -> None:
    assert library.upload(file_last_modified="1705309200000").json["meeting_date"] == "2024-01-15T09:00:00Z"
    both = library.upload(file_last_modified="1705309200000", meeting_date="2024-01-16").json
    assert both["meeting_date"] == "2024-01-16T00:00:00Z"
    neither = library.upload(file_last_modified="junk").json
    assert neither["meeting_date"] == neither["created_at"]


def test_the_same_bytes_again_are_taken_with_a_warning(library: Library) -> None:
    accepted = library.upload(wav(0.3)).json
    warning = {"existing_recording_id": 1, "existing_title": "a title", "existing_created_at": MOMENT}
    assert unlike(ACCEPTED | {"notes": None, "duplicate_warning": warning}, accepted) == []
    assert accepted["duplicate_warning"]["existing_recording_id"] == library.ids["waiting"]


def test_only_the_sound_of_a_film_is_kept(library: Library, tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    write_media(film, "mp4", "aac", seconds=0.5, picture="mpeg4")
    accepted = library.upload(film.read_bytes(), filename="film.mp4", keep_audio_only="true").json
    assert unlike(ACCEPTED | {"notes": None}, accepted) == []
    assert accepted["mime_type"].startswith("audio/")


def _without_file(fields: dict[str, str], *, file: bool) -> dict[str, Any]:
    boundary = "b"
    parts = [
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'
        for name, text in fields.items()
    ]
    if file:
        parts.append('--b\r\nContent-Disposition: form-data; name="file"; filename=""\r\n\r\n\r\n')
    return {
        "data": "".join([*parts, "--b--\r\n"]),
        "content_type": f"multipart/form-data; boundary={boundary}",
    }


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        (_without_file({"notes": "x"}, file=False), "No file provided"),
        (_without_file({"notes": "x"}, file=True), "No file selected"),
    ],
)
def test_a_form_without_a_file(library: Library, sent: dict[str, Any], sentence: str) -> None:
    check_error(library, "POST", PATH, None, 400, sentence, **sent)


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"", "empty_file"), (b"no sound at all" * 9, "not_media"), (wav(0.0), "undecodable")],
    ids=["nothing", "text", "silence"],
)
def test_a_file_without_audio_is_a_bad_request(library: Library, data: bytes, code: str) -> None:
    answer = library.upload(data)
    assert answer.status_code == 400
    assert unlike(ERROR, answer.json) == []
    assert answer.json["code"] in {code, "no_audio_stream", "empty_file"}
    assert "/" not in answer.json["error"]


def test_an_invalid_meeting_date_is_reported(library: Library) -> None:
    answer = library.upload(meeting_date="yesterday")
    assert (answer.status_code, answer.json["error"]) == (400, "Invalid meeting_date format")


def test_what_is_too_large_is_refused_in_the_documented_shape(library: Library) -> None:
    limits = {"max_file_size_mb": 1, "max_audio_only_video_size_mb": 2}
    library.make("PATCH", "/admin/settings", limits, as_="root")
    answer = library.upload(wav(40.0))
    assert answer.status_code == 413
    too_large = {"max_size_mb": 1, "effective_limit_mb": 1, "audio_only_mode": False}
    assert unlike(ERROR | too_large, answer.json) == []
    assert (answer.json["max_size_mb"], answer.json["effective_limit_mb"]) == (1, 1)


def test_what_is_too_large_even_for_a_film(library: Library) -> None:
    limits = {"max_file_size_mb": 1, "max_audio_only_video_size_mb": 2}
    library.make("PATCH", "/admin/settings", limits, as_="root")
    answer = library.upload(bytes(3 * 1024 * 1024), filename="film.mp4")
    assert (answer.status_code, answer.json["effective_limit_mb"]) == (413, 2)


def test_the_sound_of_a_film_can_be_too_large(library: Library, tmp_path: Path) -> None:
    film = tmp_path / "film.mkv"
    write_media(film, "matroska", "pcm_s16le", seconds=12, picture="mpeg4")
    limits = {"max_file_size_mb": 1, "max_audio_only_video_size_mb": 50}
    library.make("PATCH", "/admin/settings", limits, as_="root")
    answer = library.upload(film.read_bytes(), filename="film.mkv", keep_audio_only="true")
    assert answer.status_code == 413
    too_large = {
        "max_size_mb": 1,
        "extracted_audio_mb": 1.5,
        "audio_only_mode": True,
        "chunking_enabled": True,
    }
    assert unlike(ERROR | too_large, answer.json) == []
