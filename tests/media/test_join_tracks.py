"""Joining files of several tracks and of many channels."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from speakr.media.decode import decode
from speakr.media.join import FLAC, AudioPart, join
from speakr.media.speech import read_pcm
from tests.media.conftest import TEN_HOURS
from tests.media.synth import tone
from tests.support.tracks import RATE, Track, write_tracks

TONE = tone(1.0, RATE)[0]


def loudness(folder: Path, media: Path) -> list[float]:
    """Return the greatest amplitude of each half second."""
    decode(media, folder / "pcm", TEN_HOURS)
    samples = np.abs(read_pcm(folder / "pcm").astype(int))
    return [float(samples[at : at + RATE // 2].max()) for at in range(0, samples.size, RATE // 2)]


@pytest.mark.parametrize(
    ("tracks", "expected"),
    [((), [1, 1, 0, 0, 0, 0]), ((1,), [0, 0, 0, 1, 1, 1]), ((0, 1), [1, 1, 0, 1, 1, 1])],
)
def test_the_tracks_that_count_are_added_up(
    tmp_path: Path, tracks: tuple[int, ...], expected: list[int]
) -> None:
    film = write_tracks(
        tmp_path / "film",
        "matroska",
        [Track(samples=TONE, codec="flac"), Track(samples=TONE, codec="aac", delay=1.6)],
        picture=True,
    )
    assert join([AudioPart(film, 0.0, 3.0, tracks)], tmp_path / "joined", FLAC) == pytest.approx(3.0)
    loud = loudness(tmp_path, tmp_path / "joined")
    assert [int(each > 4000) for each in loud] == expected


def test_a_sum_of_tracks_is_cut_exactly(tmp_path: Path) -> None:
    film = write_tracks(tmp_path / "film", "matroska", [Track(samples=TONE), Track(samples=TONE // 2)])
    joined = tmp_path / "joined"
    join([AudioPart(film, 0.2, 0.7, (0, 1)), AudioPart(film, 0.0, 0.5, (0, 1))], joined, FLAC)
    decode(joined, tmp_path / "pcm", TEN_HOURS)
    samples, whole = read_pcm(tmp_path / "pcm"), TONE.astype(int) + TONE // 2
    expected = np.concatenate([whole[round(0.2 * RATE) : round(0.7 * RATE)], whole[: RATE // 2]])
    assert samples.size == expected.size
    assert np.abs(samples - expected).max() <= 2


def test_channels_without_a_layout_are_joined(tmp_path: Path) -> None:
    path = tmp_path / "nine.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(9)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.repeat(TONE, 9).tobytes())
    join([AudioPart(path, 0.0, 1.0)], tmp_path / "joined", FLAC)
    assert min(loudness(tmp_path, tmp_path / "joined")) > 4000
