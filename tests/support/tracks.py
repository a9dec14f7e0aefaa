"""Files with several tracks and channels, made of clips of speech."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from tests.media.synth import _write_picture

RATE = 16_000
CLIPS = Path(__file__).parent.parent / "media" / "data"

Sound = npt.NDArray[np.int16]


def clip(name: str = "librivox_0870", seconds: float | None = None) -> Sound:
    """Return a clip of speech at 16 kHz, shape (n,)."""
    with av.open(str(CLIPS / f"{name}.flac")) as container:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        frames = [
            out.to_ndarray()[0] for frame in container.decode(audio=0) for out in resampler.resample(frame)
        ]
    samples = np.concatenate(frames)
    return samples if seconds is None else samples[: round(seconds * RATE)]


def placed(*parts: tuple[float, Sound], seconds: float) -> Sound:
    """Return silence of a length with clips in it, each with its start."""
    whole = np.zeros(round(seconds * RATE), np.int16)
    for start, samples in parts:
        first = round(start * RATE)
        whole[first : first + samples.size] += samples[: whole.size - first]
    return whole


def side_by_side(*channels: Sound) -> Sound:
    """Return channels as one track, shape (n, channels)."""
    length = max(channel.size for channel in channels)
    return np.stack([np.pad(channel, (0, length - channel.size)) for channel in channels], axis=1)


@dataclass(frozen=True, kw_only=True)
class Track:
    """A track of a file. samples: shape (n,) or (n, channels) at 16 kHz; delay: seconds before its first one."""

    samples: Sound
    codec: str = "pcm_s16le"
    delay: float = 0.0
    metadata: Mapping[str, str] = field(default_factory=dict)


def write_tracks(
    path: Path, muxer: str, tracks: Sequence[Track], *, picture: bool = False, start: float = 0.0
) -> Path:
    """Write tracks into a file, with a moving picture if asked for; start: its first timestamp in seconds."""
    with av.open(str(path), "w", format=muxer, options={"avoid_negative_ts": "disabled"}) as container:
        video = container.add_stream("mpeg4", rate=10) if picture else None
        streams = []
        for track in tracks:
            channels = 1 if track.samples.ndim == 1 else track.samples.shape[1]
            rate = 48_000 if track.codec == "libopus" else RATE
            stream = container.add_stream(
                track.codec, rate=rate, layout="mono" if channels == 1 else "stereo"
            )
            stream.metadata.update(track.metadata)
            streams.append((stream, track, channels))
        if video is not None:
            video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
            longest = max(track.delay + len(track.samples) / RATE for track in tracks)
            if start:
                _write_late_picture(container, video, longest, start)
            else:
                _write_picture(container, video, longest)
        for stream, track, channels in streams:
            _write_track(container, stream, track, channels, start)
    return path


def _write_late_picture(container, video, seconds: float, start: float) -> None:
    for number in range(round(seconds * 10)):
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), number * 5 % 255, np.uint8), format="rgb24")
        frame.pts, frame.time_base = number + round(start * 10), Fraction(1, 10)
        container.mux(video.encode(frame))
    container.mux(video.encode(None))


def _write_track(container, stream, track: Track, channels: int, start: float) -> None:
    context = stream.codec_context
    layout = "mono" if channels == 1 else "stereo"
    resampler = av.AudioResampler(
        format=context.format, layout=layout, rate=context.rate, frame_size=context.frame_size or 1024
    )
    frame = av.AudioFrame.from_ndarray(
        np.ascontiguousarray(track.samples).reshape(1, -1), format="s16", layout=layout
    )
    frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
    shift = round((start + track.delay) * context.rate)
    for out in [*resampler.resample(frame), *resampler.resample(None)]:
        out.pts += shift
        container.mux(stream.encode(out))
    container.mux(stream.encode(None))
