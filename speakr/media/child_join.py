"""The process that joins or cuts untrusted audio and encodes the result. `sandbox.py` runs it by path, like `child.py`.

It opens several files, one after the other, in the same limits and behind the same filter as `child.py`, whose code
it uses. It holds about a second of sound in memory, however long the files are.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.stream import Discard

if TYPE_CHECKING:
    from speakr.media import child, child_mix
else:
    # Python runs this file in isolated mode, where neither Speakr nor the files beside it can be imported.
    for _name in ("child", "child_mix"):
        _spec = importlib.util.spec_from_file_location(_name, Path(__file__).with_name(f"{_name}.py"))
        sys.modules[_name] = importlib.util.module_from_spec(_spec)
        _spec.loader.exec_module(sys.modules[_name])
    child, child_mix = sys.modules["child"], sys.modules["child_mix"]

MIN_FLAC_RATE, MAX_FLAC_RATE = 8_000, 96_000
OPUS_RATE = 48_000
"""Opus always decodes to this rate (RFC 6716, section 2)."""
ENCODED_AT_ONCE = 16_384
"""Samples per call of the encoder."""
_SMALL_SAMPLES = frozenset({"u8", "u8p", "s16", "s16p"})
"""Sample formats that 16 bits hold without loss."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The form of samples: interleaved integers. `sample_format` is `s16` or `s32`, `layout` mono or stereo."""

    rate: int
    layout: str
    sample_format: str

    @property
    def channels(self) -> int:
        """Number of channels."""
        return 1 if self.layout == "mono" else 2

    @property
    def block(self) -> int:
        """Bytes of one sample of all channels."""
        return self.channels * (2 if self.sample_format == "s16" else 4)


def shape_of(order: Mapping[str, Any]) -> Shape:
    """Choose the form of the result: what every source fits into without loss, as far as the encoder takes it."""
    rates, channels, formats = [], [], []
    for source_fd, part in zip(order["source_fds"], order["parts"], strict=True):
        with source(order, source_fd, part["tracks"]) as (_, streams):
            for stream in streams:
                rates.append(stream.codec_context.sample_rate)
                channels.append(stream.codec_context.layout.nb_channels)
                formats.append(getattr(stream.codec_context.format, "name", None))
    layout = "mono" if all(count == 1 for count in channels) else "stereo"
    if order["codec"] != "flac":
        return Shape(OPUS_RATE, layout, "s16")
    rate = min(max(*rates, MIN_FLAC_RATE), MAX_FLAC_RATE)
    return Shape(rate, layout, "s16" if _SMALL_SAMPLES.issuperset(formats) else "s32")


@contextlib.contextmanager
def source(
    order: Mapping[str, Any], source_fd: int, tracks: Sequence[int]
) -> Iterator[tuple[InputContainer, Sequence[AudioStream]]]:
    """Open one source at its first byte and choose its streams: these audio tracks, or else the first one."""
    # All openings share the position in the file, and FFmpeg starts to read there.
    os.lseek(source_fd, 0, os.SEEK_SET)
    with child.opened({**order, "source_fd": source_fd}) as container:
        streams = [child.audible_stream(container, order["decoders"], track) for track in tracks or (None,)]
        for stream in streams:
            stream.discard = Discard.default  # choosing another one has turned it off
        yield container, streams


@dataclass(slots=True)
class Converter:
    """Turns frames of any kind into bytes of one shape."""

    shape: Shape
    _resampler: av.AudioResampler | child_mix.Mixer | None = None
    _kind: tuple[str, str, int] | None = None

    def convert(self, frame: AudioFrame) -> Iterator[bytes]:
        """Yield samples, perhaps none yet."""
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if kind != self._kind:
            yield from self.rest()
            self._resampler, self._kind = self._resampler_for(frame), kind
        frame.pts = None  # `child.Timeline` looks after gaps; the resampler must not
        yield from self._resample(frame)

    def rest(self) -> Iterator[bytes]:
        """Yield what the resampler still holds."""
        yield from self._resample(None)

    def _resampler_for(self, frame: AudioFrame) -> av.AudioResampler | child_mix.Mixer:
        count = frame.layout.nb_channels
        if count > self.shape.channels and frame.layout.name == f"{count} channels":
            # FFmpeg does not know where their loudspeakers stand, and mixes no such channels by itself.
            return child_mix.Mixer(
                frame, [1 / count] * count, sample_format=self.shape.sample_format, rate=self.shape.rate
            )
        # FFmpeg makes mono quieter when it makes stereo of it; `_widened` does not.
        layout = "mono" if count == 1 else self.shape.layout
        return av.AudioResampler(format=self.shape.sample_format, layout=layout, rate=self.shape.rate)

    def _resample(self, frame: AudioFrame | None) -> Iterator[bytes]:
        if self._resampler is None:
            return
        for out in self._resampler.resample(frame):
            samples = bytes(
                memoryview(out.planes[0])[: out.samples * out.format.bytes * len(out.layout.channels)]
            )
            yield samples if out.layout.name == self.shape.layout else self._widened(samples)

    def _widened(self, mono: bytes) -> bytes:
        code: Literal["h", "i"] = "h" if self.shape.sample_format == "s16" else "i"
        samples = memoryview(mono).cast(code)
        both = memoryview(bytearray(2 * len(mono))).cast(code)
        both[0::2] = samples
        both[1::2] = samples
        return both.tobytes()


@dataclass(slots=True)
class Encoder:
    """Writes samples into the result, which is encoded in pieces of `ENCODED_AT_ONCE`."""

    target: OutputContainer
    stream: AudioStream
    shape: Shape
    samples: int = 0
    """Number of samples written so far."""
    _buffer: bytearray = field(default_factory=bytearray)
    _encoded: int = 0

    def write(self, data: bytes) -> None:
        """Append samples."""
        self._buffer += data
        self.samples += len(data) // self.shape.block
        while len(self._buffer) >= ENCODED_AT_ONCE * self.shape.block:
            self._encode(ENCODED_AT_ONCE)

    def silence_until(self, samples: int) -> None:
        """Append silence until so many samples are written."""
        while self.samples < samples:
            self.write(bytes(min(samples - self.samples, ENCODED_AT_ONCE) * self.shape.block))

    def finish(self) -> None:
        """Encode the rest."""
        if self._buffer:
            self._encode(len(self._buffer) // self.shape.block)
        self.target.mux(self.stream.encode(None))

    def _encode(self, samples: int) -> None:
        frame = AudioFrame(self.shape.sample_format, self.shape.layout, samples)
        size = samples * self.shape.block
        frame.planes[0].update(bytes(self._buffer[:size]))
        del self._buffer[:size]
        frame.sample_rate, frame.time_base = self.shape.rate, Fraction(1, self.shape.rate)
        frame.pts = self._encoded
        self._encoded += samples
        self.target.mux(self.stream.encode(frame))


class Window:
    """Passes the samples `[first, first + length)` of a source on to the encoder and drops the others."""

    def __init__(self, encoder: Encoder, first: int, length: int) -> None:
        self._encoder = encoder
        self._skip, self._left = first, length
        self.kept = 0

    @property
    def is_full(self) -> bool:
        """Whether all wanted samples have passed."""
        return self._left == 0

    def write(self, data: bytes) -> None:
        """Take the next samples of the source."""
        block = self._encoder.shape.block
        dropped = min(self._skip, len(data) // block)
        self._skip -= dropped
        wanted = data[dropped * block : (dropped + self._left) * block]
        self._left -= len(wanted) // block
        self.kept += len(wanted) // block
        if wanted:
            self._encoder.write(wanted)

    def silence(self, samples: int) -> None:
        """Take silence, which may be long."""
        block = self._encoder.shape.block
        while samples and not self.is_full:
            step = min(samples, ENCODED_AT_ONCE)
            self.write(bytes(step * block))
            samples -= step


def copy_part(
    order: Mapping[str, Any], source_fd: int, window: Window, shape: Shape, tracks: Sequence[int]
) -> int:
    """Decode a source into a window until that is full; return the number of broken packets."""
    tally = child.Tally()
    with source(order, source_fd, tracks) as (container, streams):
        lanes = {
            stream.index: Lane(number, Converter(shape), child.Timeline(container, stream))
            for number, stream in enumerate(streams)
        }
        total = Sum(window, shape, len(streams))
        for index, frame in child.all_frames(container, streams, tally):
            lane = lanes[index]
            total.silence(lane.number, round(lane.timeline.hole_before(frame) * shape.rate))
            try:
                for samples in lane.converter.convert(frame):
                    total.write(lane.number, samples)
            except (av.FFmpegError, ValueError):
                tally.count_bad()
            if window.is_full:
                return tally.bad
        for lane in lanes.values():
            for samples in lane.converter.rest():
                total.write(lane.number, samples)
            total.end(lane.number)
    return tally.bad


@dataclass(slots=True)
class Lane:
    """One of the tracks that are read at the same time."""

    number: int
    converter: Converter
    timeline: child.Timeline


class Sum:
    """Passes the samples of one track on to a window, or the sum of those of several."""

    def __init__(self, window: Window, shape: Shape, tracks: int) -> None:
        self._window, self._shape = window, shape
        self._blend = None
        if tracks > 1:
            self._blend = child_mix.Blend(
                tracks, sample_format=shape.sample_format, layout=shape.layout, rate=shape.rate
            )

    def write(self, track: int, data: bytes) -> None:
        """Take the next samples of a track."""
        if self._blend is None:
            self._window.write(data)
        else:
            for samples in self._blend.add(track, data, self._shape.block):
                self._window.write(samples)

    def silence(self, track: int, samples: int) -> None:
        """Take silence of a track, which may be long."""
        if self._blend is None:
            self._window.silence(samples)
            return
        while samples and not self._window.is_full:
            step = min(samples, ENCODED_AT_ONCE)
            self.write(track, bytes(step * self._shape.block))
            samples -= step

    def end(self, track: int) -> None:
        """End a track."""
        if self._blend is not None:
            for samples in self._blend.end(track, self._shape.block):
                self._window.write(samples)


def join(order: Mapping[str, Any]) -> Mapping[str, Any]:
    """Write the parts of the sources one after the other, each exactly as long as it is said to be.

    A part whose source is shorter is filled up with silence, so that later parts keep their times.
    """
    parts: Sequence[Mapping[str, Any]] = order["parts"]
    shape, bad, due = shape_of(order), 0, 0.0
    with (
        open(order["sink_fd"], "wb", buffering=child.BUFFER_BYTES) as sink,  # noqa: PTH123 - a descriptor, not a path
        # Without the random serial number of Ogg: the same parts make the same bytes.
        av.open(sink, "w", format=order["muxer"], container_options={"fflags": "+bitexact"}) as target,
    ):
        encoder = Encoder(target, _add_stream(target, order, shape), shape)
        for source_fd, part in zip(order["source_fds"], parts, strict=True):
            encoder.silence_until(round(due * shape.rate))
            due += part["end"] - part["start"]
            length = max(0, round(due * shape.rate) - encoder.samples)
            window = Window(encoder, round(part["start"] * shape.rate), length)
            bad += copy_part(order, source_fd, window, shape, part["tracks"])
            if not window.kept and length:
                raise child.Refused("undecodable")
            encoder.silence_until(round(due * shape.rate))
            due += order["gap_seconds"]
        encoder.finish()
    return {"samples": encoder.samples, "rate": shape.rate, "bad": bad}


def _add_stream(target: OutputContainer, order: Mapping[str, Any], shape: Shape) -> AudioStream:
    stream: AudioStream = target.add_stream(order["codec"], rate=shape.rate, layout=shape.layout)
    stream.codec_context.format = shape.sample_format
    stream.codec_context.time_base = Fraction(1, shape.rate)
    stream.codec_context.thread_count = 1
    if order["codec"] != "flac":
        stream.bit_rate = order["bit_rate"] * shape.channels
    return stream


if __name__ == "__main__":
    child.main({"join": join})
