"""Joining and cutting audio in the sandbox: every sample at its place, whatever the files are."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest

from speakr.domain.errors import UnusableMedia
from speakr.media.join import FLAC, OPUS, AudioPart, form_for, join
from tests.media.synth import tone, write_media

Sound = npt.NDArray[np.float64]


def noise(seconds: float, rate: int, channels: int = 1, seed: int = 1) -> npt.NDArray[np.int16]:
    return np.random.default_rng(seed).integers(
        -9_000, 9_000, (1, round(seconds * rate) * channels), np.int16
    )


def wav(path: Path, sound: npt.NDArray[np.int16], rate: int, layout: str = "mono") -> Path:
    return write_media(path, "wav", "pcm_s16le", rate=rate, layout=layout, sound=sound)


def decoded(path: Path) -> Sound:
    """Return samples from -1 to 1, shape (n, channels)."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        planar = av.AudioResampler(format="dblp", layout=stream.layout, rate=stream.rate)
        pieces = [out.to_ndarray() for frame in container.decode(stream) for out in planar.resample(frame)]
        return np.concatenate(pieces, axis=1).T


def as_floats(sound: npt.NDArray[np.int16], channels: int = 1) -> Sound:
    return sound.reshape(-1, channels) / 32768


def test_lossless_files_are_joined_without_a_change(tmp_path: Path) -> None:
    first, second = noise(1.5, 44_100, 2), noise(0.77, 44_100, 2, seed=2)
    parts = [
        AudioPart(wav(tmp_path / "a", first, 44_100, "stereo"), 0.0, 1.5),
        AudioPart(wav(tmp_path / "b", second, 44_100, "stereo"), 0.0, 0.77),
    ]
    assert join(parts, tmp_path / "whole", FLAC) == pytest.approx(2.27, abs=1e-6)
    expected = np.concatenate([as_floats(first, 2), as_floats(second, 2)])
    assert np.array_equal(decoded(tmp_path / "whole"), expected)


def test_a_gap_is_silent_and_mono_is_as_loud_as_before(tmp_path: Path) -> None:
    first, second = noise(1.0, 16_000), noise(1.0, 16_000, 2, seed=2)
    parts = [
        AudioPart(wav(tmp_path / "a", first, 16_000), 0.0, 1.0),
        AudioPart(wav(tmp_path / "b", second, 16_000, "stereo"), 0.0, 1.0),
    ]
    join(parts, tmp_path / "whole", FLAC, gap_seconds=0.25)
    found = decoded(tmp_path / "whole")
    assert np.array_equal(found[:16_000], np.repeat(as_floats(first), 2, axis=1))
    assert not found[16_000:20_000].any()
    assert np.array_equal(found[20_000:], as_floats(second, 2))


def test_both_sides_of_a_cut_are_the_whole(tmp_path: Path) -> None:
    sound = noise(2.0, 16_000)
    path = wav(tmp_path / "a", sound, 16_000)
    join([AudioPart(path, 0.0, 0.777)], tmp_path / "left", FLAC)
    join([AudioPart(path, 0.777, 2.0)], tmp_path / "right", FLAC)
    both = np.concatenate([decoded(tmp_path / "left"), decoded(tmp_path / "right")])
    assert np.array_equal(both, as_floats(sound))


def test_24_bit_sound_stays_24_bit(tmp_path: Path) -> None:
    path = write_media(tmp_path / "a", "wav", "pcm_s24le", rate=48_000, layout="mono", seconds=0.5)
    join([AudioPart(path, 0.0, 0.5)], tmp_path / "whole", FLAC)
    assert np.array_equal(decoded(tmp_path / "whole"), decoded(path))
    with av.open(str(tmp_path / "whole")) as container:
        assert container.streams.audio[0].format.name == "s32"


@pytest.mark.parametrize(
    ("muxer", "codec", "rate"),
    [("mp3", "libmp3lame", 44_100), ("ipod", "aac", 48_000), ("ogg", "libopus", 48_000)],
)
def test_compressed_files_keep_their_times(tmp_path: Path, muxer: str, codec: str, rate: int) -> None:
    sound = tone(2.0, rate)
    sound[0, : rate // 2] = sound[0, rate:] = 0  # sounds from 0.5 to 1.0 s
    path = write_media(tmp_path / "a", muxer, codec, rate=rate, layout="mono", sound=sound)
    parts = [AudioPart(path, 0.0, 2.0), AudioPart(path, 0.25, 1.5)]
    assert join(parts, tmp_path / "whole", OPUS, gap_seconds=0.5) == pytest.approx(3.75, abs=1e-6)
    found = np.abs(decoded(tmp_path / "whole")[:, 0])
    assert found.size == round(3.75 * 48_000)
    loud = [
        found[round(at * 48_000) : round((at + 0.05) * 48_000)].max() > 0.1 for at in np.arange(0, 3.7, 0.05)
    ]
    changes = [round(0.05 * at, 2) for at in range(1, len(loud)) if loud[at] != loud[at - 1]]
    assert changes == pytest.approx([0.5, 1.0, 2.75, 3.25], abs=0.06)


def test_a_file_that_is_too_short_is_filled_up_so_that_the_next_keeps_its_time(tmp_path: Path) -> None:
    first, second = noise(1.0, 16_000), noise(1.0, 16_000, seed=2)
    parts = [
        AudioPart(wav(tmp_path / "a", first, 16_000), 0.0, 1.5),
        AudioPart(wav(tmp_path / "b", second, 16_000), 0.0, 1.0),
    ]
    join(parts, tmp_path / "whole", FLAC)
    found = decoded(tmp_path / "whole")
    assert not found[16_000:24_000].any()
    assert np.array_equal(found[24_000:], as_floats(second))


def test_the_same_parts_make_the_same_bytes(tmp_path: Path) -> None:
    path = wav(tmp_path / "a", noise(1.0, 16_000), 16_000)
    for form in (FLAC, OPUS):
        for name in ("one", "two"):
            join([AudioPart(path, 0.0, 1.0)], tmp_path / name, form)
        assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.parametrize("content", [b"", b"no media at all" * 100, b"#EXTM3U\nhttp://example.com/a.ts\n"])
def test_a_file_that_is_no_audio_is_refused_and_leaves_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad").write_bytes(content)
    good = wav(tmp_path / "good", noise(0.5, 16_000), 16_000)
    with pytest.raises(UnusableMedia):
        join([AudioPart(good, 0.0, 0.5), AudioPart(tmp_path / "bad", 0.0, 0.5)], tmp_path / "whole", FLAC)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["bad", "good"]


def test_twenty_files_fit_into_the_limit_of_open_files(tmp_path: Path) -> None:
    path = wav(tmp_path / "a", noise(0.1, 16_000), 16_000)
    assert join([AudioPart(path, 0.0, 0.1)] * 20, tmp_path / "whole", FLAC) == pytest.approx(2.0)


def test_the_form_is_lossless_only_if_all_sources_are() -> None:
    assert form_for(["audio/wav", "audio/flac"]) is FLAC
    assert form_for(["audio/wav", "audio/mpeg"]) is OPUS
    assert form_for(["video/mp4"]) is OPUS
