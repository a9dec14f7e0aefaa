"""Media made on the spot: real encoders, real containers, tones that can be found again."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

HERTZ = 440.0


def tone(seconds: float, rate: int, channels: int = 1) -> npt.NDArray[np.int16]:
    """A tone at a quarter of full scale, interleaved, shape (1, samples * channels)."""
    wave = np.sin(2 * np.pi * HERTZ * np.arange(round(seconds * rate)) / rate) * 8192
    return np.repeat(wave.astype(np.int16), channels).reshape(1, -1)


def write_media(
    path: Path,
    muxer: str,
    codec: str,
    *,
    seconds: float = 2.0,
    rate: int = 44_100,
    layout: str = "stereo",
    picture: str | None = None,
    metadata: Mapping[str, str] | None = None,
    sound: npt.NDArray[np.int16] | None = None,
) -> Path:
    """Encode a tone (or the given interleaved audio) into a file, with moving pictures if asked for."""
    with av.open(str(path), "w", format=muxer) as container:
        container.metadata.update(metadata or {})
        video = container.add_stream(picture, rate=10) if picture else None
        audio = container.add_stream(codec, rate=rate, layout=layout)
        if codec == "vorbis":
            audio.codec_context.options = {"strict": "-2"}
        elif not codec.startswith(("pcm", "libopencore")):
            audio.bit_rate = 64_000
        if video is not None:
            video.width, video.height, video.pix_fmt = 64, 48, "yuvj420p" if picture == "mjpeg" else "yuv420p"
        channels = audio.layout.nb_channels
        samples = tone(seconds, rate, channels) if sound is None else sound
        if video is not None:
            _write_picture(container, video, samples.size / channels / rate)
        _write_sound(container, audio, samples, channels)
    return path


def _write_picture(container, video, seconds: float) -> None:
    for number in range(round(seconds * 10)):
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), number * 5 % 255, np.uint8), format="rgb24")
        frame.pts, frame.time_base = number, Fraction(1, 10)
        container.mux(video.encode(frame))
    container.mux(video.encode(None))


def _write_sound(container, audio, samples, channels: int) -> None:
    context = audio.codec_context
    fitter = av.AudioResampler(format=context.format, layout=context.layout, rate=context.rate)
    step = 4096 * channels
    done = 0
    queue = av.AudioFifo()
    for start in range(0, samples.size, step):
        part = np.ascontiguousarray(samples[:, start : start + step])
        frame = av.AudioFrame.from_ndarray(part, format="s16", layout=context.layout.name)
        frame.sample_rate, frame.pts, frame.time_base = context.rate, done, Fraction(1, context.rate)
        done += part.size // channels
        for fitted in fitter.resample(frame):
            queue.write(fitted)
        context.open(strict=False)
        for full in queue.read_many(context.frame_size or 1024):
            container.mux(audio.encode(full))
    rest = queue.read(0, partial=True)
    if rest is not None:
        container.mux(audio.encode(rest))
    container.mux(audio.encode(None))
