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

if TYPE_CHECKING:
    from speakr.media import child
else:
    # Python runs this file in isolated mode, where neither Speakr nor the files beside it can be imported.
    _spec = importlib.util.spec_from_file_location("child", Path(__file__).with_name("child.py"))
    child = sys.modules["child"] = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(child)

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
    for source_fd in order["source_fds"]:
        with source(order, source_fd) as (_, stream):
            rates.append(stream.codec_context.sample_rate)
            channels.append(stream.codec_context.layout.nb_channels)
            formats.append(getattr(stream.codec_context.format, "name", None))
    layout = "mono" if all(count == 1 for count in channels) else "stereo"
    if order["codec"] != "flac":
        return Shape(OPUS_RATE, layout, "s16")
    rate = min(max(*rates, MIN_FLAC_RATE), MAX_FLAC_RATE)
    return Shape(rate, layout, "s16" if _SMALL_SAMPLES.issuperset(formats) else "s32")


@contextlib.contextmanager
def source(order: Mapping[str, Any], source_fd: int) -> Iterator[tuple[InputContainer, AudioStream]]:
    """Open one source at its first byte and choose its stream."""
    # All openings share the position in the file, and FFmpeg starts to read there.
    os.lseek(source_fd, 0, os.SEEK_SET)
    with child.opened({**order, "source_fd": source_fd}) as container:
        yield container, child.audible_stream(container, order["decoders"])


@dataclass(slots=True)
class Converter:
    """Turns frames of any kind into bytes of one shape."""

    shape: Shape
    _resampler: av.AudioResampler | None = None
    _kind: tuple[str, str, int] | None = None

    def convert(self, frame: AudioFrame) -> Iterator[bytes]:
        """Yield samples, perhaps none yet."""
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if kind != self._kind:
            yield from self.rest()
            self._resampler, self._kind = (
                av.AudioResampler(
                    format=self.shape.sample_format, layout=self._layout_for(frame), rate=self.shape.rate
                ),
                kind,
            )
        frame.pts = None  # `child.Timeline` looks after gaps; the resampler must not
        yield from self._resample(frame)

    def rest(self) -> Iterator[bytes]:
        """Yield what the resampler still holds."""
        yield from self._resample(None)

    def _layout_for(self, frame: AudioFrame) -> str:
        # FFmpeg makes mono quieter when it makes stereo of it; `_widened` does not.
        return "mono" if frame.layout.nb_channels == 1 else self.shape.layout

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


def copy_part(order: Mapping[str, Any], source_fd: int, window: Window, shape: Shape) -> int:
    """Decode a source into a window until that is full; return the number of broken packets."""
    tally, converter = child.Tally(), Converter(shape)
    with source(order, source_fd) as (container, stream):
        timeline = child.Timeline(container, stream)
        for frame in child.frames(container, stream, tally):
            window.silence(round(timeline.hole_before(frame) * shape.rate))
            try:
                for samples in converter.convert(frame):
                    window.write(samples)
            except (av.FFmpegError, ValueError):
                tally.count_bad()
            if window.is_full:
                return tally.bad
        for samples in converter.rest():
            window.write(samples)
    return tally.bad


def join(order: Mapping[str, Any]) -> Mapping[str, Any]:
    """Write the parts of the sources one after the other, each exactly as long as it is said to be.

    A part whose source is shorter is filled up with silence, so that later parts keep their times.
    """
    parts: Sequence[Mapping[str, float]] = order["parts"]
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
            bad += copy_part(order, source_fd, window, shape)
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
