"""All tracks of a file become text: those with speech, each once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from speakr import backends as plumbing
from speakr.backends import Backends
from tests.conftest import Person
from tests.fakes import FakeTranscriber
from tests.support.tracks import RATE, Track, clip, placed, side_by_side, write_tracks

ALONE = clip(seconds=6.0)
OTHER = clip("cards_005")
SILENCE = np.zeros(7 * RATE, np.int16)


@pytest.fixture
def transcribed(
    alice: Person, upload: Callable[..., Any], work: Callable[[], int]
) -> Callable[..., dict[str, Any]]:
    """Upload a file and run its jobs; return the recording with its `segments`."""

    def run(path: Path, name: str | None = None, **fields: Any) -> dict[str, Any]:
        answer = upload(alice, path.read_bytes(), name or path.name, **fields)
        assert answer.status_code == 202, answer.json
        work()
        detail = alice.get(f"/api/v1/recordings/{answer.json['id']}").json
        assert detail["status"] == "COMPLETED", detail["error_message"]
        segments = alice.get(f"/api/v1/recordings/{answer.json['id']}/transcript").json["segments"]
        return {**detail, "segments": segments}

    return run


def stored(backends: Backends) -> list[av.audio.stream.AudioStream]:
    ((key, _),) = backends.storage.keys("audio")
    with backends.storage.local_path(key) as path, av.open(str(path)) as container:
        return [stream.codec_context.name for stream in container.streams]


def speech_of(recording: dict[str, Any]) -> dict[str, float]:
    """Return how many seconds each speaker has."""
    seconds: dict[str, float] = {}
    for segment in recording["segments"]:
        seconds.setdefault(segment["speaker"], 0.0)
        seconds[segment["speaker"]] += segment["end_time"] - segment["start_time"]
    return seconds


def test_the_microphone_on_the_second_track_is_transcribed_and_kept(
    tmp_path: Path, transcribed: Callable[..., dict[str, Any]], backends: Backends
) -> None:
    quiet = side_by_side(SILENCE, SILENCE)
    film = write_tracks(
        tmp_path / "obs.mkv",
        "matroska",
        [
            Track(samples=quiet, codec="aac", metadata={"title": "Desktop"}),
            Track(samples=ALONE, codec="aac", metadata={"title": "Mic", "language": "eng"}),
        ],
        picture=True,
    )
    recording = transcribed(film)
    assert sum(speech_of(recording).values()) > 4
    assert stored(backends) == ["aac", "aac"]
    assert [
        (track["index"], track["codec"], track["channels"], track["title"], track["language"])
        for track in recording["tracks"]
    ] == [(0, "aac", 2, "Desktop", None), (1, "aac", 1, "Mic", "eng")]
    assert [(track["is_silent"], track["is_used"]) for track in recording["tracks"]] == [
        (True, False),
        (False, True),
    ]


def test_two_tracks_with_speech_are_two_speakers_in_one_transcript(
    tmp_path: Path, transcribed: Callable[..., dict[str, Any]]
) -> None:
    film = write_tracks(
        tmp_path / "two.mkv",
        "matroska",
        [Track(samples=ALONE), Track(samples=placed((2.0, OTHER), seconds=9))],
        picture=True,
    )
    recording = transcribed(film)
    seconds = speech_of(recording)
    assert list(seconds) == ["SPEAKER_00", "SPEAKER_01"]
    assert seconds["SPEAKER_00"] > 4
    assert seconds["SPEAKER_01"] > 0.7
    starts = [segment["start_time"] for segment in recording["segments"]]
    assert starts == sorted(starts)
    assert any(segment["overlap"] for segment in recording["segments"])


def test_a_mix_and_its_parts_are_transcribed_once(
    tmp_path: Path, transcribed: Callable[..., dict[str, Any]]
) -> None:
    near, far = placed((0.0, ALONE), seconds=9), placed((5.0, OTHER), seconds=9)
    mix = (near.astype(int) + far).clip(-32768, 32767).astype(np.int16)
    film = write_tracks(
        tmp_path / "obs.mkv",
        "matroska",
        [Track(samples=samples, codec="aac") for samples in (mix, near, far)],
        picture=True,
    )
    recording = transcribed(film)
    assert [track["is_used"] for track in recording["tracks"]] == [False, True, True]
    assert recording["tracks"][0]["same_as"] in {1, 2}
    assert not recording["tracks"][0]["is_silent"]
    assert list(speech_of(recording)) == ["SPEAKER_00", "SPEAKER_01"]


def test_a_second_copy_of_the_same_track_adds_nothing(
    tmp_path: Path, transcribed: Callable[..., dict[str, Any]]
) -> None:
    quieter = (ALONE // 3).astype(np.int16)
    single = transcribed(write_tracks(tmp_path / "one.mkv", "matroska", [Track(samples=ALONE)]))
    double = transcribed(
        write_tracks(
            tmp_path / "copy.mkv", "matroska", [Track(samples=ALONE), Track(samples=quieter, codec="aac")]
        )
    )
    assert double["segments"] == [
        {**segment, "id": ours["id"]}
        for segment, ours in zip(single["segments"], double["segments"], strict=True)
    ]
    assert [track["same_as"] for track in double["tracks"]] == [None, 0]


def test_a_part_of_a_mix_whose_rest_has_no_track_adds_nothing(
    tmp_path: Path, transcribed: Callable[..., dict[str, Any]]
) -> None:
    near, far = placed((0.0, ALONE), seconds=9), placed((6.5, OTHER), seconds=9)
    recording = transcribed(
        write_tracks(tmp_path / "part.mkv", "matroska", [Track(samples=near + far), Track(samples=near)])
    )
    assert [track["is_used"] for track in recording["tracks"]] == [True, False]
    assert recording["segments"][-1]["end_time"] > 7


def test_a_video_whose_sound_cannot_all_be_decoded_is_kept(
    tmp_path: Path, transcribed: Callable[..., dict[str, Any]], backends: Backends
) -> None:
    """Apple's spatial sound lies beside an AAC track, in a codec that FFmpeg does not know."""
    film = write_tracks(
        tmp_path / "film.mov",
        "mov",
        [Track(samples=ALONE, codec="aac"), Track(samples=ALONE, codec="alac")],
        picture=True,
    )
    film.write_bytes(film.read_bytes().replace(b"alac", b"apac"))
    recording = transcribed(film)
    assert recording["warnings"] == ["video_kept", "track_not_decoded"]
    assert recording["mime_type"] == "video/quicktime"
    assert [track["is_silent"] for track in recording["tracks"]] == [False, None]
    ((key, _),) = backends.storage.keys("audio")
    with backends.storage.local_path(key) as path:
        assert path.read_bytes() == film.read_bytes()


def test_a_recording_with_several_tracks_gives_the_same_text_after_an_interruption(
    tmp_path: Path,
    transcribed: Callable[..., dict[str, Any]],
    transcriber: FakeTranscriber,
    alice: Person,
    upload: Callable[..., Any],
    work: Callable[[], int],
) -> None:
    from speakr.db import unit_of_work
    from speakr.domain.errors import ConnectorUnavailable
    from speakr.jobs import runner
    from speakr.models import Job
    from tests.jobs.looking import job_of

    film = write_tracks(
        tmp_path / "two.mkv",
        "matroska",
        [Track(samples=clip()), Track(samples=placed((2.0, OTHER), seconds=9))],
    )
    whole = transcribed(film)
    before = len(transcriber.chunks)

    def fail_once(_chunk: object) -> None:
        if len(transcriber.chunks) == before + 1:
            transcriber.before = None
            raise ConnectorUnavailable("The engine is busy.")

    transcriber.before = fail_once
    number = upload(alice, film.read_bytes(), "again.mkv").json["id"]
    work()
    job_id = job_of(number).id
    with unit_of_work() as session:
        session.get_one(Job, job_id).not_before = None
    runner.run(job_id)
    again = alice.get(f"/api/v1/recordings/{number}/transcript").json["segments"]
    assert len(transcriber.chunks) == 2 * before
    assert [(each["speaker"], each["start_time"], each["sentence"]) for each in again] == [
        (each["speaker"], each["start_time"], each["sentence"]) for each in whole["segments"]
    ]


@pytest.mark.on_sqlite
def test_silent_tracks_are_named_before_and_after_the_transcription(
    alice: Person, upload: Callable[..., Any], work: Callable[[], int], tmp_path: Path
) -> None:
    path = write_tracks(tmp_path / "a.mka", "matroska", [Track(samples=SILENCE)])
    number = upload(alice, path.read_bytes(), "a.mka").json["id"]
    before = alice.get(f"/api/v1/recordings/{number}").json
    assert (before["tracks"][0]["is_silent"], before["skipped_seconds"]) == (None, None)
    work()
    after = alice.get(f"/api/v1/recordings/{number}").json
    assert (after["tracks"][0]["is_silent"], after["skipped_seconds"]) == (True, 0.0)


@pytest.fixture
def kept_videos(backends: Backends, app: object, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = replace(backends, settings=replace(backends.settings, video_retention=True))
    monkeypatch.setattr(plumbing, "_backends", kept)


@pytest.mark.on_sqlite
def test_a_kept_video_has_the_same_text(
    tmp_path: Path, transcribed: Callable[..., dict[str, Any]], kept_videos: None, backends: Backends
) -> None:
    film = write_tracks(
        tmp_path / "two.mkv", "matroska", [Track(samples=SILENCE), Track(samples=ALONE)], picture=True
    )
    assert sum(speech_of(transcribed(film)).values()) > 4
    assert stored(backends) == ["mpeg4", "pcm_s16le", "pcm_s16le"]
