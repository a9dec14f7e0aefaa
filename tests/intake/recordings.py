"""Files as people have them, and as they should not be."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np

from tests.conftest import wav
from tests.media.synth import tone, write_media

SECONDS = 1.5


def encoded(path: Path, muxer: str, codec: str, **how: object) -> bytes:
    return write_media(path, muxer, codec, seconds=SECONDS, **how).read_bytes()


ACCEPTED: dict[str, tuple[Callable[[Path], bytes], set[str]]] = {
    "mp3": (lambda path: encoded(path, "mp3", "libmp3lame"), {"audio/mpeg"}),
    "wav": (lambda path: encoded(path, "wav", "pcm_s16le"), {"audio/wav"}),
    "m4a": (lambda path: encoded(path, "ipod", "aac"), {"audio/mp4"}),
    "aac": (lambda path: encoded(path, "adts", "aac"), {"audio/aac"}),
    "flac": (lambda path: encoded(path, "flac", "flac"), {"audio/flac"}),
    "ogg": (lambda path: encoded(path, "ogg", "vorbis"), {"audio/ogg"}),
    "opus": (lambda path: encoded(path, "ogg", "libopus", rate=48_000), {"audio/ogg"}),
    "webm": (lambda path: encoded(path, "webm", "libopus", rate=48_000), {"audio/webm"}),
    # Of videos the audio is stored, in a container that fits its codec.
    "mp4": (lambda path: encoded(path, "mp4", "aac", picture="mpeg4"), {"audio/mp4"}),
    "mov": (lambda path: encoded(path, "mov", "pcm_s16le", picture="mjpeg"), {"audio/wav"}),
    "mkv": (lambda path: encoded(path, "matroska", "libopus", rate=48_000, picture="mpeg4"), {"audio/ogg"}),
}
"""Ending -> how such a file is made, and the media types that its answer may name."""


def film_cut_short(path: Path) -> bytes:
    """A film of which the upload or the camera stopped half-way: the index, which comes last, is missing."""
    whole = encoded(path, "mp4", "aac", picture="mpeg4")
    return whole[: whole.index(b"moov") // 2]


def silent_film(path: Path) -> bytes:
    with av.open(str(path), "w", format="mp4") as container:
        video = container.add_stream("mpeg4", rate=10)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        for number in range(10):
            frame = av.VideoFrame(64, 48, "yuv420p")
            frame.pts = number
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    return path.read_bytes()


def eight_microphones(path: Path) -> bytes:
    """What an array of microphones records: 8 channels at the odd rate of 10 kHz."""
    return encoded(path, "wav", "pcm_s16le", rate=10_000, layout="7.1")


def hiss(size_bytes: int) -> bytes:
    """A WAV file of noise, which no file system makes smaller."""
    return (
        wav(0.0)[:-8]
        + b"data"
        + size_bytes.to_bytes(4, "little")
        + np.random.default_rng(1).bytes(size_bytes)
    )


def film_of_hiss(path: Path, seconds: float) -> bytes:
    """A QuickTime video that is nearly all audio."""
    sound = np.frombuffer(np.random.default_rng(1).bytes(round(seconds * 48_000) * 2), np.int16).reshape(
        1, -1
    )
    film = write_media(path, "mov", "pcm_s16le", rate=48_000, layout="mono", picture="mjpeg", sound=sound)
    return film.read_bytes()


def song_with_cover(path: Path) -> bytes:
    """An MP3 with a picture in its ID3 tag."""
    sound = tone(SECONDS, 44_100, 2)
    with av.open(str(path), "w", format="mp3") as container:
        audio = container.add_stream("libmp3lame", rate=44_100, layout="stereo")
        cover = container.add_stream("png", rate=1)
        cover.width, cover.height, cover.pix_fmt = 32, 32, "rgb24"
        cover.disposition = av.stream.Disposition.attached_pic
        frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 99, np.uint8), format="rgb24")
        frame.pts = 0
        container.mux(cover.encode(frame))
        resampler = av.AudioResampler(format="s16p", layout="stereo", rate=44_100)
        whole = av.AudioFrame.from_ndarray(sound, format="s16", layout="stereo")
        whole.sample_rate, whole.pts = 44_100, 0
        queue = av.AudioFifo()
        for fitted in resampler.resample(whole):
            queue.write(fitted)
        for full in queue.read_many(1152):
            container.mux(audio.encode(full))
        container.mux(audio.encode(None))
    return path.read_bytes()


# -- FLAC by hand (RFC 9639): no encoder makes 25 MB of silence in a reasonable time

BLOCK_SAMPLES, FLAC_RATE = 65_535, 8_000
_MAX_SAMPLES = 2**36 - 1


def flac_of_silence(size_bytes: int, *, tells_length: bool) -> bytes:
    """A FLAC file of this size: 16 bytes for every 8 seconds. Streams need not contain their length."""
    frames = _silent_frames(size_bytes // 16)
    samples = min(size_bytes // 16 * BLOCK_SAMPLES, _MAX_SAMPLES) if tells_length else 0
    sizes = BLOCK_SAMPLES.to_bytes(2) * 2 + bytes(6)
    properties = (FLAC_RATE << 44 | 15 << 36 | samples).to_bytes(8)  # one channel, 16 bits
    info = sizes + properties + bytes(16)
    return b"fLaC" + b"\x80" + len(info).to_bytes(3) + info + frames


@functools.cache
def _silent_frames(count: int) -> bytes:
    numbers = np.arange(count, dtype=np.uint32)
    ranges = zip((0, 0x80, 0x800, 0x10000), (0x80, 0x800, 0x10000, 0x200000), range(1, 5), strict=True)
    return b"".join(_frames(numbers[first:end], width) for first, end, width in ranges)


def _frames(numbers: np.ndarray, width: int) -> bytes:
    """Frames of one constant subframe each, all with numbers of `width` bytes (section 9.1.5: as UTF-8)."""
    frames = np.zeros((len(numbers), 12 + width), np.uint8)
    frames[:, :4] = 0xFF, 0xF8, 0x74, 0x08  # size follows, 8 kHz, mono, 16 bits
    for place in range(width):
        six = (numbers >> (6 * (width - 1 - place))).astype(np.uint8)
        lead = (0, 0, 0xC0, 0xE0, 0xF0)[width] if place == 0 else 0x80
        frames[:, 4 + place] = lead | (six & (0x7F if width == 1 else 0x3F))
    frames[:, 4 + width : 6 + width] = (BLOCK_SAMPLES - 1) >> 8, (BLOCK_SAMPLES - 1) & 0xFF
    frames[:, 6 + width] = _remainders(frames[:, : 6 + width], 0x07, 8)
    check = _remainders(frames[:, : 10 + width], 0x8005, 16)
    frames[:, 10 + width], frames[:, 11 + width] = check >> 8, check & 0xFF
    return frames.tobytes()


def _remainders(rows: np.ndarray, polynomial: int, bits: int) -> np.ndarray:
    """The cyclic redundancy check of each row."""
    top, mask = 1 << (bits - 1), (1 << bits) - 1
    left = np.zeros(len(rows), np.uint32)
    for column in rows.T:
        left ^= column.astype(np.uint32) << (bits - 8)
        for _ in range(8):
            left = np.where(left & top, (left << 1) ^ polynomial, left << 1) & mask
    return left
