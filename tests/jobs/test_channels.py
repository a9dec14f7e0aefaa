"""Channels of one track: the sides of a call are speakers, everything else is mixed so that nothing cancels out."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.conftest import Person
from tests.fakes import FakeTranscriber
from tests.support.tracks import RATE, Sound, clip, placed, side_by_side

ALONE = clip(seconds=6.0)
OTHER = clip("cards_005")


def wav_of(samples: Sound) -> bytes:
    """Return a plain WAV file, whose header says nothing about loudspeakers. samples: shape (n, channels)."""
    channels = samples.shape[1]
    data = np.ascontiguousarray(samples, "<i2").tobytes()
    form = struct.pack("<HHIIHH", 1, channels, RATE, 2 * channels * RATE, 2 * channels, 16)
    file = io.BytesIO()
    file.write(b"RIFF" + struct.pack("<I", len(data) + 36) + b"WAVEfmt " + struct.pack("<I", 16) + form)
    file.write(b"data" + struct.pack("<I", len(data)) + data)
    return file.getvalue()


CALL = side_by_side(placed((0.3, ALONE), seconds=9), placed((4.0, OTHER), seconds=9))


@pytest.fixture
def segments_of(
    alice: Person, upload: Callable[..., Any], work: Callable[[], int]
) -> Callable[..., list[dict[str, Any]]]:
    """Upload a WAV file and run its jobs; return the segments."""

    def run(samples: Sound, **fields: Any) -> list[dict[str, Any]]:
        answer = upload(alice, wav_of(samples), **fields)
        assert answer.status_code == 202, answer.json
        work()
        number = answer.json["id"]
        detail = alice.get(f"/api/v1/recordings/{number}").json
        assert detail["status"] == "COMPLETED", detail["error_message"]
        return list(alice.get(f"/api/v1/recordings/{number}/transcript").json["segments"])

    return run


def spoken(segments: list[dict[str, Any]]) -> list[tuple[str, float, float]]:
    return [(each["speaker"], each["start_time"], each["end_time"]) for each in segments]


def seconds_of(segments: list[dict[str, Any]], speaker: str = "SPEAKER_00") -> float:
    return sum(end - start for label, start, end in spoken(segments) if label == speaker)


def test_the_sides_of_a_call_are_two_speakers_whose_words_are_complete(
    segments_of: Callable[..., list[dict[str, Any]]],
) -> None:
    call = segments_of(CALL)
    left, right = (segments_of(CALL[:, [side]]) for side in (0, 1))
    assert [(start, end) for label, start, end in spoken(call) if label == "SPEAKER_00"] == [
        (start, end) for _, start, end in spoken(left)
    ]
    assert [(start, end) for label, start, end in spoken(call) if label == "SPEAKER_01"] == [
        (start, end) for _, start, end in spoken(right)
    ]
    assert {each["speaker"] for each in call if each["overlap"]} == {"SPEAKER_00", "SPEAKER_01"}


def test_each_side_is_transcribed_from_its_own_channel(
    segments_of: Callable[..., list[dict[str, Any]]], transcriber: FakeTranscriber
) -> None:
    segments_of(CALL)
    for chunk in transcriber.chunks:
        first = round(chunk.start * RATE)
        ours = [
            side
            for side in (0, 1)
            if np.array_equal(chunk.samples, CALL[first : first + chunk.samples.size, side])
        ]
        assert ours, "this is neither of the channels"


@pytest.mark.on_sqlite
@pytest.mark.parametrize(("left", "right"), [(1, 1), (1, -1), (1, 0.1), (1, -0.9), (0, 1), (1, 0)], ids=str)
def test_one_sound_on_two_channels_is_one_speaker(
    segments_of: Callable[..., list[dict[str, Any]]],
    transcriber: FakeTranscriber,
    left: float,
    right: float,
) -> None:
    mono = spoken(segments_of(ALONE[:, None]))
    both = segments_of((ALONE[:, None] * np.array([left, right])).astype(np.int16))
    assert len(both) == len(mono)
    assert {each["speaker"] for each in both} == {"SPEAKER_00"}
    assert spoken(both)[0][1] == pytest.approx(mono[0][1], abs=0.1)
    loudest = max(float(np.abs(chunk.samples.astype(int)).max()) for chunk in transcriber.chunks[-2:])
    assert loudest > 0.4 * float(np.abs(ALONE.astype(int)).max())


@pytest.mark.on_sqlite
def test_a_room_on_two_channels_is_mixed(segments_of: Callable[..., list[dict[str, Any]]]) -> None:
    """Both microphones record both people, with echoes of their own."""
    random = np.random.default_rng(3)
    talk = placed((0.3, ALONE), (6.5, OTHER), seconds=10).astype(float)

    def microphone() -> Sound:
        echo = random.normal(size=4000) * np.exp(-np.arange(4000) / 1000)
        echo[0] += 20
        return (np.convolve(talk, echo)[: talk.size] / 40).clip(-32768, 32767).astype(np.int16)

    segments = segments_of(side_by_side(microphone(), microphone()))
    assert {each["speaker"] for each in segments} == {"SPEAKER_00"}
    assert seconds_of(segments) > 5


@pytest.mark.on_sqlite
def test_faint_cross_talk_of_a_call_is_not_transcribed_twice(
    segments_of: Callable[..., list[dict[str, Any]]],
) -> None:
    turns = side_by_side(placed((0.3, ALONE), seconds=12), placed((7.0, OTHER), seconds=12)).astype(float)
    leaking = (turns + 0.1 * turns[:, ::-1]).astype(np.int16)
    assert spoken(segments_of(leaking)) == spoken(segments_of(turns.astype(np.int16)))


@pytest.mark.on_sqlite
@pytest.mark.parametrize("channels", [3, 9, 11, 18, 32])
def test_many_channels_without_a_layout(
    segments_of: Callable[..., list[dict[str, Any]]], channels: int
) -> None:
    samples = np.zeros((ALONE.size, channels), np.int16)
    samples[:, channels // 2] = ALONE
    assert seconds_of(segments_of(samples)) > 4


@pytest.mark.on_sqlite
def test_inverted_ones_among_many_channels_do_not_cancel_the_others(
    segments_of: Callable[..., list[dict[str, Any]]], transcriber: FakeTranscriber
) -> None:
    signs = np.array([1, -1, 1, -1])
    assert seconds_of(segments_of(ALONE[:, None] * signs)) > 4
    assert np.abs(transcriber.chunks[0].samples.astype(int)).max() > 3000


@pytest.mark.on_sqlite
def test_separate_makes_a_speaker_of_each_channel(
    segments_of: Callable[..., list[dict[str, Any]]],
) -> None:
    silence = np.zeros_like(ALONE)
    segments = segments_of(side_by_side(silence, ALONE, ALONE), channels="separate")
    assert {each["speaker"] for each in segments} == {"SPEAKER_01", "SPEAKER_02"}


@pytest.mark.on_sqlite
def test_more_channels_than_can_be_separated_are_mixed_with_a_warning(
    segments_of: Callable[..., list[dict[str, Any]]], alice: Person
) -> None:
    segments = segments_of(np.repeat(ALONE[:, None], 9, axis=1), channels="separate")
    assert {each["speaker"] for each in segments} == {"SPEAKER_00"}
    number = alice.get("/api/v1/recordings").json["recordings"][0]["id"]
    assert alice.get(f"/api/v1/recordings/{number}").json["warnings"] == ["channels_mixed"]


@pytest.mark.on_sqlite
def test_mix_keeps_a_call_in_one(segments_of: Callable[..., list[dict[str, Any]]]) -> None:
    assert {each["speaker"] for each in segments_of(CALL, channels="mix")} == {"SPEAKER_00"}


def test_a_new_transcription_takes_the_channels_of_the_upload_unless_it_says_others(
    segments_of: Callable[..., list[dict[str, Any]]], alice: Person, work: Callable[[], int]
) -> None:
    segments_of(CALL, channels="mix")
    number = alice.get("/api/v1/recordings").json["recordings"][0]["id"]

    def again(**options: str) -> set[str]:
        assert alice.post(f"/api/v1/recordings/{number}/transcribe", json=options).status_code == 200
        work()
        found = alice.get(f"/api/v1/recordings/{number}/transcript").json["segments"]
        return {each["speaker"] for each in found}

    assert again() == {"SPEAKER_00"}
    assert again(channels="auto") == {"SPEAKER_00", "SPEAKER_01"}


@pytest.mark.on_sqlite
def test_an_unknown_word_for_channels_is_refused(alice: Person, upload: Callable[..., Any]) -> None:
    answer = upload(alice, channels="both")
    assert (answer.status_code, answer.json["errors"]) == (
        400,
        {"channels": ["must be one of: auto, separate, mix"]},
    )
    answer = alice.post("/api/v1/uploads/signed", json={"filename": "a.wav", "channels": "both"})
    assert answer.status_code in {400, 422}
