"""The process that opens untrusted media. `sandbox.py` runs it by path, once per file, in isolated mode.

It imports nothing of Speakr. It loads its
libraries, enables the limits and the filter, and only then reads the first untrusted byte. It gets one JSON argument and
inherits open files; it answers with one JSON object on standard output. If a file exploits a decoder, the process has one
file to read, at most one to write, no secrets and no network.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import av.subtitles.codeccontext
import av.subtitles.stream  # PyAV would load these two later, when no file can be opened any more
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard, Disposition

RATE = 16_000
MIN_RATE, MAX_RATE = 4_000, 768_000
"""A header may claim 1 Hz, which makes 55 hours of 0.4 MB; no microphone is outside of these."""

MAX_BAD_IN_A_ROW = 500
"""Number of consecutive broken packets after which decoding stops."""

BUFFER_BYTES = 1 << 20
HOLE_SECONDS, MAX_HOLE_SECONDS = 0.5, 600.0
"""Timestamps that jump ahead by more than the first, but not by more than the second, mean missing sound."""

PICTURES = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
SILENCE = bytes(1 << 16)

_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 22, 38
_SECCOMP_MODE_FILTER = 2
_FILTER_STEP_BYTES = 8


class Refused(Exception):
    """The file is at fault; the name of the fault goes into the report."""


class _FilterProgram(ctypes.Structure):
    """`struct sock_fprog`."""

    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def limit_resources(*, cpu_seconds: int, memory_bytes: int, file_bytes: int, open_files: int) -> None:
    """Set the kernel's resource limits. The soft CPU limit ends the process with SIGXCPU, which tells the parent why."""
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 5))
    for kind, most in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_FSIZE, file_bytes),
        (resource.RLIMIT_NOFILE, open_files),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (most, most))


def raise_fence(steps: bytes, parent_pid: int) -> bool:
    """End with the parent, gain no new privileges, and allow only the system calls that the filter allows.

    Returns whether the kernel took the filter.
    """
    if sys.platform != "linux":
        return False
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    nothing = ctypes.c_ulong(0)
    prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL), nothing, nothing, nothing)
    if os.getppid() != parent_pid:  # it died before prctl() took effect
        sys.exit(1)
    if not steps or prctl(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), nothing, nothing, nothing) != 0:
        return False
    program = _FilterProgram(len(steps) // _FILTER_STEP_BYTES, steps)
    mode = ctypes.c_ulong(_SECCOMP_MODE_FILTER)
    return bool(prctl(_PR_SET_SECCOMP, mode, ctypes.byref(program), nothing, nothing) == 0)


@contextlib.contextmanager
def opened(order: Mapping[str, Any]) -> Iterator[InputContainer]:
    """Open the media behind the inherited descriptor; FFmpeg may use no protocol but that."""
    options = {
        "fd": str(order["source_fd"]),
        "protocol_whitelist": "fd",
        "format_whitelist": order["demuxers"],
        "codec_whitelist": order["decoders"],
    }
    try:
        container = av.open("fd:", options=options, metadata_errors="replace")
    except av.ArgumentError:  # what FFmpeg says of a format outside of the list
        raise Refused("unsupported_format") from None
    except av.FFmpegError:
        raise Refused("not_media") from None
    with container:
        yield container


def audible_stream(container: InputContainer, decoders: str) -> AudioStream:
    """Choose the first decodable audio stream and skip the others."""
    known = decoders.split(",")
    if not container.streams.audio:
        raise Refused("no_audio_stream")
    for stream in container.streams.audio:
        if decoder_of(stream) in known:
            for other in container.streams:
                if other.index != stream.index:
                    other.discard = Discard.all
            stream.codec_context.thread_count = 1
            return stream
    raise Refused("undecodable")


def decoder_of(stream: AudioStream) -> str | None:
    """Return FFmpeg's name of the decoder for a stream; None if it has none."""
    context: Any = stream.codec_context  # typed as always there, which it is not for unknown codecs
    return None if context is None else str(context.codec.name)


@dataclass(slots=True)
class Tally:
    """How many packets could not be read or decoded."""

    bad: int = 0
    bad_in_a_row: int = 0

    def count_bad(self) -> None:
        """Count a broken packet."""
        self.bad += 1
        self.bad_in_a_row += 1

    @property
    def is_hopeless(self) -> bool:
        """Whether decoding must stop."""
        return self.bad_in_a_row > MAX_BAD_IN_A_ROW


def packets(container: InputContainer, stream: AudioStream, tally: Tally) -> Iterator[Packet[Any]]:
    """Read packets to the end, past damage; the last one is empty and flushes the decoder."""
    while not tally.is_hopeless:
        try:
            yield from container.demux(stream)
        except av.FFmpegError:
            tally.count_bad()
        else:
            return


def frames(container: InputContainer, stream: AudioStream, tally: Tally) -> Iterator[AudioFrame]:
    """Decode, passing over what is broken or cannot be sound."""
    for packet in packets(container, stream, tally):
        decoded: Sequence[Any] = ()  # sound, since the stream is; PyAV's types cannot know
        try:
            decoded = packet.decode()
        except av.FFmpegError:
            tally.count_bad()
        for frame in decoded:
            if MIN_RATE <= frame.sample_rate <= MAX_RATE and frame.samples > 0:
                tally.bad_in_a_row = 0
                yield frame
            else:
                tally.count_bad()
        if tally.is_hopeless:
            return


class Mono16:
    """Turns frames of any kind into 16 bit mono at 16 kHz, also when their kind changes on the way."""

    def __init__(self) -> None:
        self._resampler: av.AudioResampler | None = None
        self._kind: tuple[str, str, int] | None = None

    def convert(self, frame: AudioFrame) -> Iterator[memoryview]:
        """Yield samples as bytes, perhaps none yet."""
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if kind != self._kind:
            yield from self.rest()
            self._resampler, self._kind = av.AudioResampler(format="s16", layout="mono", rate=RATE), kind
        frame.pts = None  # `Timeline` looks after gaps; the resampler must not
        yield from self._resample(frame)

    def rest(self) -> Iterator[memoryview]:
        """Yield what the resampler still holds."""
        yield from self._resample(None)

    def _resample(self, frame: AudioFrame | None) -> Iterator[memoryview]:
        if self._resampler is not None:
            for out in self._resampler.resample(frame):
                yield memoryview(out.planes[0])[: out.samples * 2]


class Timeline:
    """Finds gaps in the sound, so that later sound keeps its time.

    Recorders that leave silence out, and damage, make timestamps jump ahead. Times in seconds.
    """

    def __init__(self, start: float) -> None:
        self._expected = start

    def hole_before(self, frame: AudioFrame) -> float:
        """Return how much silence is missing before a frame, and count both in."""
        hole = 0.0
        if frame.time is not None:
            ahead = frame.time - self._expected
            if HOLE_SECONDS < ahead <= MAX_HOLE_SECONDS:
                hole = ahead
            if abs(ahead) > HOLE_SECONDS:
                self._expected += ahead
        self._expected += frame.samples / frame.sample_rate
        return hole


def probe(order: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the facts about the file, and check that its first second can be decoded."""
    with opened(order) as container:
        stream = audible_stream(container, order["decoders"])
        if not MIN_RATE <= stream.codec_context.sample_rate <= MAX_RATE:
            raise Refused("absurd_rate")
        pictures = [video for video in container.streams.video if not video.disposition & PICTURES]
        metadata = {**stream.metadata, **container.metadata}
        found = {
            "demuxer": container.format.name[:64],
            "brand": container.metadata.get("major_brand", "")[:16] or None,
            "created": metadata.get("creation_time", "")[:64] or None,
            "duration": _declared_seconds(container, stream),
            "codec": stream.codec_context.codec.canonical_name[:64],
            "audio_stream_count": len(container.streams.audio),
            "has_video": bool(pictures),
        }
        tally, seconds_decoded = Tally(), Fraction(0)
        for frame in frames(container, stream, tally):
            seconds_decoded += Fraction(frame.samples, frame.sample_rate)
            if seconds_decoded >= 1:
                break
        if not seconds_decoded:
            raise Refused("undecodable")
    return found


def _declared_seconds(container: InputContainer, stream: AudioStream) -> float | None:
    if container.duration is not None:
        return container.duration / av.time_base
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return None


def decode(order: Mapping[str, Any]) -> Mapping[str, Any]:
    """Write the sound as headerless 16 bit mono at 16 kHz, in the memory of one frame."""
    most = int(order["max_seconds"] * RATE)
    written = 0
    with opened(order) as container, open(order["sink_fd"], "wb", buffering=BUFFER_BYTES) as pcm:  # noqa: PTH123 - a descriptor, not a path

        def write(data: bytes | memoryview) -> None:
            nonlocal written
            pcm.write(data)
            written += len(data) // 2
            if written > most:
                raise Refused("too_long")

        stream = audible_stream(container, order["decoders"])
        tally, mono = Tally(), Mono16()
        timeline = Timeline((container.start_time or 0) / av.time_base)
        for frame in frames(container, stream, tally):
            missing = round(timeline.hole_before(frame) * RATE) * 2
            for at in range(0, missing, len(SILENCE)):
                write(SILENCE[: missing - at])
            try:
                for samples in mono.convert(frame):
                    write(samples)
            except (av.FFmpegError, ValueError):
                tally.count_bad()
        for samples in mono.rest():
            write(samples)
    if not written:
        raise Refused("undecodable")
    return {"samples": written, "bad": tally.bad}


def remux(order: Mapping[str, Any]) -> Mapping[str, Any]:
    """Copy the sound alone, as it is, into a container that suits its codec."""
    kept, tally = 0, Tally()
    with opened(order) as container, open(order["sink_fd"], "wb") as sink:  # noqa: PTH123 - a descriptor, not a path
        stream = audible_stream(container, order["decoders"])
        muxer = order["muxers"].get(stream.codec_context.codec.canonical_name, order["other_muxer"])
        with av.open(sink, "w", format=muxer) as target:
            try:
                copy = target.add_stream_from_template(stream)
            except ValueError:  # a codec that no container but its own will have
                raise Refused("unsupported_format") from None
            lead = None
            for packet in packets(container, stream, tally):
                if packet.size == 0 or packet.dts is None:
                    continue
                # The copied sound starts at 0, however late it started in the video.
                lead = max(0, packet.dts) if lead is None else lead
                packet.dts -= lead
                packet.pts = packet.dts if packet.pts is None else packet.pts - lead
                packet.stream = copy
                try:
                    target.mux(packet)
                except av.FFmpegError:
                    tally.count_bad()
                else:
                    kept += 1
    if not kept:
        raise Refused("undecodable")
    return {"packets": kept, "bad": tally.bad}


Task = Callable[[Mapping[str, Any]], Mapping[str, Any]]

TASKS: Mapping[str, Task] = {
    "probe": probe,
    "decode": decode,
    "remux": remux,
}


def attempt(order: Mapping[str, Any], tasks: Mapping[str, Task]) -> Mapping[str, Any]:
    """Run the task and return its result, or the name of the file's fault."""
    try:
        return {"result": tasks[order["task"]](order)}
    except Refused as refused:
        return {"problem": str(refused)}
    except MemoryError:
        return {"problem": "too_expensive"}
    except OSError as error:
        if error.errno == errno.ENOSPC:
            return {"problem": "no_space"}
        if error.errno == errno.EFBIG:
            return {"problem": "too_expensive"}
        raise


def _peak_bytes(status_fd: int | None) -> int:
    """Return this process's peak memory. `ru_maxrss` would include the parent's before `exec`."""
    if status_fd is None:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    fields = dict(line.split(":", 1) for line in os.pread(status_fd, 8192, 0).decode().splitlines())
    return int(fields["VmHWM"].split()[0]) * 1024


def main(tasks: Mapping[str, Task] = TASKS) -> None:
    """Enable the limits, run the task, print the report."""
    order = json.loads(sys.argv[1])
    try:
        status_fd = os.open("/proc/self/status", os.O_RDONLY)
    except OSError:
        status_fd = None
    limit_resources(**order["limits"])
    fenced = raise_fence(bytes.fromhex(order["filter"]), order["parent_pid"])
    report = {**attempt(order, tasks), "network_fenced": fenced, "peak_rss_bytes": _peak_bytes(status_fd)}
    os.write(sys.stdout.fileno(), json.dumps(report).encode())


if __name__ == "__main__":
    main()
