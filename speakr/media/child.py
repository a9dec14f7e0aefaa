"""The process that opens untrusted media. `sandbox.py` runs it by path, once per file, in isolated mode.

It imports nothing of Speakr. It loads its
libraries, enables the limits and the filter, and only then reads the first untrusted byte. It gets one JSON argument and
inherits open files; it answers with one JSON object on standard output. If a file exploits a decoder, the process has one
file to read, at most one to write, no secrets and no network.

This file examines; `child_decode.py`, `child_remux.py` and `child_join.py` use its code.
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
MIN_LEAD_SECONDS = 0.02
"""Sound that starts later than this after the beginning of the file keeps that distance."""

MAX_TRACKS, MAX_TEXT = 32, 64
"""Number of audio tracks that are reported, and the length of their texts."""
DATE_TAGS = (
    "com.apple.quicktime.creationdate", "creation_time", "date", "encoded_date", "date_recorded", "recording_time",
    "origination_date", "origination_time", "time",
)  # fmt: skip
"""FFmpeg's names of the tags in which containers say when a recording was made."""

PICTURES = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
SILENCE = bytes(1 << 16)

_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 22, 38
_SECCOMP_MODE_FILTER = 2
_FILTER_STEP_BYTES = 8


class Refused(Exception):
    """The file is at fault; the name of the fault goes into the report, perhaps with that of a codec."""

    def __init__(self, fault: str, codec: str = "") -> None:
        super().__init__(fault)
        self.codec = codec


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


def audible_stream(container: InputContainer, decoders: str, track: int | None = None) -> AudioStream:
    """Choose an audio stream by its number among the audio streams, or else the first decodable one; skip the others."""
    known = decoders.split(",")
    if not container.streams.audio:
        raise Refused("no_audio_stream")
    for number, stream in enumerate(container.streams.audio):
        if track in {None, number} and decoder_of(stream) in known:
            skip_others(container, (stream,))
            return stream
    raise Refused("no_decoder", codec=codec_of(container.streams.audio[track or 0]))


def skip_others(container: InputContainer, wanted: Sequence[AudioStream]) -> None:
    """Have FFmpeg read only these streams, in this thread."""
    for stream in container.streams:
        if all(stream.index != each.index for each in wanted):
            stream.discard = Discard.all
    for each in wanted:
        each.codec_context.thread_count = 1


def tracks(container: InputContainer, decoders: str) -> list[dict[str, Any]]:
    """Return the facts about each audio track, in the order of the file."""
    known = decoders.split(",")
    return [
        {
            "codec": codec_of(stream),
            "channels": 0 if decoder_of(stream) is None else stream.codec_context.layout.nb_channels,
            "language": stream.metadata.get("language", "")[:MAX_TEXT],
            "title": (stream.metadata.get("title") or stream.metadata.get("handler_name", ""))[:MAX_TEXT],
            "is_decodable": decoder_of(stream) in known,
        }
        for stream in container.streams.audio[:MAX_TRACKS]
    ]


def codec_of(stream: AudioStream) -> str:
    """Return FFmpeg's name of a stream's codec; empty if it does not know the codec."""
    context: Any = stream.codec_context
    return "" if context is None else str(context.codec.canonical_name)[:MAX_TEXT]


def decoder_of(stream: AudioStream) -> str | None:
    """Return FFmpeg's name of the decoder for a stream; None if it has none."""
    context: Any = stream.codec_context  # typed as always there, which it is not for unknown codecs
    return None if context is None else str(context.codec.name)


@dataclass(slots=True)
class Tally:
    """How many packets could not be read or decoded, and how much sound they had, in seconds."""

    bad: int = 0
    bad_in_a_row: int = 0
    bad_seconds: float = 0.0

    def count_bad(self, packet: Packet[Any] | None = None) -> None:
        """Count a broken packet."""
        self.bad += 1
        self.bad_in_a_row += 1
        if packet is not None and packet.duration and packet.time_base:
            self.bad_seconds += max(0.0, float(packet.duration * packet.time_base))

    @property
    def is_hopeless(self) -> bool:
        """Whether decoding must stop."""
        return self.bad_in_a_row > MAX_BAD_IN_A_ROW


def packets(
    container: InputContainer, streams: AudioStream | Sequence[AudioStream], tally: Tally
) -> Iterator[Packet[Any]]:
    """Read packets to the end, past damage; the last one of each stream is empty and flushes the decoder."""
    while not tally.is_hopeless:
        try:
            yield from container.demux(streams)
        except av.FFmpegError:
            tally.count_bad()
        else:
            return


def frames(container: InputContainer, stream: AudioStream, tally: Tally) -> Iterator[AudioFrame]:
    """Decode, passing over what is broken or cannot be sound."""
    for _, frame in all_frames(container, (stream,), tally):
        yield frame


def all_frames(
    container: InputContainer, streams: Sequence[AudioStream], tally: Tally
) -> Iterator[tuple[int, AudioFrame]]:
    """Decode several streams together; yield frames with the index of their stream."""
    for packet in packets(container, streams, tally):
        decoded: Sequence[Any] = ()  # sound, since the stream is; PyAV's types cannot know
        try:
            decoded = packet.decode()
        except av.FFmpegError:
            tally.count_bad(packet)
        for frame in decoded:
            if MIN_RATE <= frame.sample_rate <= MAX_RATE and frame.samples > 0:
                tally.bad_in_a_row = 0
                yield packet.stream_index, frame
            else:
                tally.count_bad()
        if tally.is_hopeless:
            return


def beginning(container: InputContainer) -> float:
    """Return the timestamp at which a player's clock shows 0, in seconds.

    Files of the MP4 family count from 0, and silence may come first (ISO/IEC 14496-12, section 8.6.6). Players take the
    first timestamp of any other container for 0. A negative one is that of samples that no player plays.
    """
    if container.format.name.startswith("mov"):
        return 0.0
    return max(0.0, (container.start_time or 0) / av.time_base)


def first_second(stream: AudioStream) -> float:
    """Return the first timestamp of a stream in seconds; 0 if it is not known."""
    if stream.start_time is None or stream.time_base is None:
        return 0.0
    return float(stream.start_time * stream.time_base)


class Timeline:
    """Finds gaps in the sound, so that later sound keeps its time.

    The sound may begin after the picture. Recorders that leave silence out, and damage, make timestamps jump ahead.
    Times in seconds.
    """

    def __init__(self, container: InputContainer, stream: AudioStream) -> None:
        self._expected = beginning(container)
        # Decoders withhold some sound at the beginning, so the first frame alone does not show that it is late.
        is_late = first_second(stream) - self._expected > MIN_LEAD_SECONDS
        self._min_hole = MIN_LEAD_SECONDS if is_late else HOLE_SECONDS
        # No silence that is longer than the whole file says to be.
        self._max_hole = max(MAX_HOLE_SECONDS, (container.duration or 0) / av.time_base)

    def hole_before(self, frame: AudioFrame) -> float:
        """Return how much silence is missing before a frame, and count both in."""
        hole = 0.0
        if frame.time is not None:
            ahead = frame.time - self._expected
            if self._min_hole < ahead <= self._max_hole:
                hole = ahead
            if abs(ahead) > self._min_hole:
                self._expected += ahead
        self._expected += frame.samples / frame.sample_rate
        self._min_hole, self._max_hole = HOLE_SECONDS, MAX_HOLE_SECONDS
        return hole


def probe(order: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the facts about the file, and check that its first second can be decoded."""
    with opened(order) as container:
        stream = audible_stream(container, order["decoders"])
        if not MIN_RATE <= stream.codec_context.sample_rate <= MAX_RATE:
            raise Refused("absurd_rate")
        pictures = [video for video in container.streams.video if not video.disposition & PICTURES]
        metadata = {
            name.lower(): text for name, text in [*stream.metadata.items(), *container.metadata.items()]
        }
        found = {
            "demuxer": container.format.name[:64],
            "brand": container.metadata.get("major_brand", "")[:16] or None,
            "dates": {name: metadata[name][:MAX_TEXT] for name in DATE_TAGS if metadata.get(name)},
            "duration": _declared_seconds(container, stream),
            "codec": stream.codec_context.codec.canonical_name[:64],
            "tracks": tracks(container, order["decoders"]),
            "track_count": len(container.streams.audio),
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


def measure(order: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the length of the sound in seconds, from the timestamps of all packets; nothing is decoded."""
    with opened(order) as container:
        stream = audible_stream(container, order["decoders"])
        last = 0.0
        for packet in packets(container, stream, Tally()):
            if packet.pts is not None and packet.time_base is not None:
                last = max(last, float((packet.pts + (packet.duration or 0)) * packet.time_base))
        return {"seconds": last - beginning(container)}


Task = Callable[[Mapping[str, Any]], Mapping[str, Any]]

TASKS: Mapping[str, Task] = {
    "probe": probe,
    "measure": measure,
}


def attempt(order: Mapping[str, Any], tasks: Mapping[str, Task]) -> Mapping[str, Any]:
    """Run the task and return its result, or the name of the file's fault."""
    try:
        return {"result": tasks[order["task"]](order)}
    except Refused as refused:
        return {"problem": str(refused), "codec": refused.codec}
    except MemoryError:
        return {"problem": "too_expensive"}
    except OSError as error:
        if error.errno == errno.ENOSPC:
            return {"problem": "no_space"}
        if error.errno == errno.EFBIG:
            return {"problem": "too_expensive"}
        raise
    except (av.FFmpegError, ValueError, NotImplementedError):  # another try would end in the same way
        return {"problem": "unreadable"}


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
