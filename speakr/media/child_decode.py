"""The process that decodes untrusted audio. `sandbox.py` runs it by path, like `child.py`, whose code it uses."""

from __future__ import annotations

import importlib.util
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
from av.audio.frame import AudioFrame

if TYPE_CHECKING:
    from speakr.media import child, child_mix
else:
    # Python runs this file in isolated mode, where neither Speakr nor the files beside it can be imported.
    for _name in ("child", "child_mix"):
        _spec = importlib.util.spec_from_file_location(_name, Path(__file__).with_name(f"{_name}.py"))
        sys.modules[_name] = importlib.util.module_from_spec(_spec)
        _spec.loader.exec_module(sys.modules[_name])
    child, child_mix = sys.modules["child"], sys.modules["child_mix"]

SAMPLE_BYTES = 2


@dataclass(slots=True)
class Converter:
    """Turns frames of any kind into interleaved 16 bit samples at 16 kHz, also when their kind changes on the way.

    channels: how many come out. If that is 1, `weights` may say how to add up the channels of a frame; otherwise they
    count equally.
    """

    channels: int
    weights: Sequence[float] = ()
    _resampler: av.AudioResampler | child_mix.Mixer | None = None
    _kind: tuple[str, str, int] | None = None
    _copies: int = 1

    def convert(self, frame: AudioFrame) -> Iterator[memoryview | bytes]:
        """Yield samples as bytes, perhaps none yet."""
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if kind != self._kind:
            yield from self.rest()
            self._resampler, self._copies = self._resampler_for(frame)
            self._kind = kind
        frame.pts = None  # `Timeline` looks after gaps; the resampler must not
        yield from self._resample(frame)

    def rest(self) -> Iterator[memoryview | bytes]:
        """Yield what the resampler still holds."""
        yield from self._resample(None)

    def reset(self) -> None:
        """Drop the resampler, which may be of no use after an error; the next frame gets another one."""
        self._resampler = self._kind = None

    def _resampler_for(self, frame: AudioFrame) -> tuple[av.AudioResampler | child_mix.Mixer, int]:
        count = frame.layout.nb_channels
        if count == self.channels:
            return av.AudioResampler(format="s16", layout=frame.layout.name, rate=child.RATE), 1
        weights = self.weights if len(self.weights) == count else [1 / count] * count
        return child_mix.Mixer(frame, weights, sample_format="s16", rate=child.RATE), self.channels

    def _resample(self, frame: AudioFrame | None) -> Iterator[memoryview | bytes]:
        if self._resampler is None:
            return
        for out in self._resampler.resample(frame):
            channels = self.channels if self._copies == 1 else 1
            samples = memoryview(out.planes[0])[: out.samples * SAMPLE_BYTES * channels]
            yield samples if self._copies == 1 else _repeated(samples, self._copies)


def _repeated(mono: memoryview, channels: int) -> bytes:
    """Return the samples of one channel as those of several."""
    samples = mono.cast("h")
    all_channels = memoryview(bytearray(len(mono) * channels)).cast("h")
    for channel in range(channels):
        all_channels[channel::channels] = samples
    return all_channels.tobytes()


class Output:
    """Writes interleaved samples, at most so many of each channel."""

    def __init__(self, write: Callable[[bytes | memoryview], object], most: int) -> None:
        self.channels = 1
        self.samples = self.kept = 0
        self._write, self._most = write, most
        self._stride, self._most_kept = 1, most

    def take_sample(self, most: int, duration: int | None) -> None:
        """Write only seconds at equal distances, at most so many samples of all channels together.

        duration: of the recording, as FFmpeg gives it.
        """
        self._most_kept = most // self.channels
        samples = (duration or 0) / av.time_base * child.RATE
        self._stride = max(1, math.ceil(samples / max(1, self._most_kept)))

    def write(self, data: bytes | memoryview) -> None:
        """Append samples."""
        count = len(data) // (SAMPLE_BYTES * self.channels)
        is_wanted = (self.samples // child.RATE) % self._stride == 0
        self.samples += count
        if self.samples > self._most:
            raise child.Refused("too_long")
        if is_wanted and self.kept + count <= self._most_kept:
            self._write(data)
            self.kept += count

    def silence(self, samples: int) -> None:
        """Append silence."""
        left = samples * SAMPLE_BYTES * self.channels
        longest = len(child.SILENCE) - len(child.SILENCE) % (SAMPLE_BYTES * self.channels)
        while left:
            step = min(left, longest)
            self.write(child.SILENCE[:step])
            left -= step


def write_frame(frame: AudioFrame, converter: Converter, output: Output, tally: child.Tally) -> None:
    """Write the samples of a frame; of one that cannot be converted, silence of its length, so that no time is lost."""
    try:
        for samples in converter.convert(frame):
            output.write(samples)
    except (av.FFmpegError, ValueError):
        seconds = frame.samples / frame.sample_rate if frame.sample_rate else 0.0
        tally.count_bad()
        tally.bad_seconds += seconds
        converter.reset()
        output.silence(round(seconds * child.RATE))


def write_rest(converter: Converter, output: Output, tally: child.Tally) -> None:
    """Write what the converter still holds; it may be lost, but not what was written before."""
    try:
        for samples in converter.rest():
            output.write(samples)
    except (av.FFmpegError, ValueError):
        tally.count_bad()


def decode(order: Mapping[str, Any]) -> Mapping[str, Any]:
    """Write the sound of one track as headerless 16 bit samples at 16 kHz, in the memory of one frame.

    The order's `weights` ask for one channel, the weighted sum of all; so does a `max_channels` of 0, with equal
    weights. Otherwise all channels are written, interleaved, up to `max_channels`. Of a track with more channels,
    seconds at equal distances are written: a sample, by which the caller can choose weights.
    """
    tally, converter, is_sample = child.Tally(), None, False
    with (
        child.opened(order) as container,
        open(order["sink_fd"], "wb", buffering=child.BUFFER_BYTES) as pcm,  # noqa: PTH123 - a descriptor, not a path
    ):
        output = Output(pcm.write, int(order["max_seconds"] * child.RATE))
        stream = child.audible_stream(container, order["decoders"], order["track"])
        found = child.tracks(container, order["decoders"])
        track_count = len(container.streams.audio)
        number = [each.index for each in container.streams.audio].index(stream.index)
        timeline = child.Timeline(container, stream)
        for frame in child.frames(container, stream, tally):
            if converter is None:
                is_mixed = order["weights"] or not order["max_channels"]
                output.channels = 1 if is_mixed else frame.layout.nb_channels
                is_sample = output.channels > max(1, order["max_channels"])
                if is_sample:
                    output.take_sample(order["max_sampled"], container.duration)
                converter = Converter(output.channels, order["weights"])
            output.silence(round(timeline.hole_before(frame) * child.RATE))
            write_frame(frame, converter, output, tally)
        if converter is not None:
            write_rest(converter, output, tally)
    if not output.samples:
        raise child.Refused("undecodable")
    return {
        "track": number,
        "tracks": found,
        "track_count": track_count,
        "channels": output.channels,
        "is_sample": is_sample,
        "samples": output.kept,
        "bad": tally.bad,
        "bad_seconds": tally.bad_seconds,
        "is_cut_off": tally.is_hopeless,
    }


if __name__ == "__main__":
    child.main({"decode": decode})
