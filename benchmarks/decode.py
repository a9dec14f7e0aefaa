"""Speed of probing, decoding and speech detection on an hour of audio: `python benchmarks/decode.py`.

Makes its own input, an hour of 128 kbit/s stereo MP3 and the same as Opus in WebM (a minute of babble, sixty times).
Each figure is the median of three runs. Peak memory is that of the process that does the work: the sandboxed child for
probing and decoding, a fresh process for speech.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy is imported
os.environ.setdefault("OMP_NUM_THREADS", "1")

import itertools
import multiprocessing
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that the command works without an installation

import av
import numpy as np
from structlog.testing import capture_logs

from speakr.media import sandbox
from speakr.media.base import MediaLimits
from speakr.media.decode import decode
from speakr.media.probe import CPU_SECONDS, probe
from speakr.media.speech import find_speech, read_pcm

RUNS = 3
HOUR_SECONDS = 3600
LIMITS = MediaLimits(max_seconds=10 * HOUR_SECONDS)
GOAL_SECONDS, GOAL_MEGABYTES = 8.0, 80.0

Measured = tuple[float, float, float]
"""Elapsed seconds, seconds of processor time, peak memory in megabytes."""


class Clock:
    """Measures this process, and children that end before `spent`, from now on."""

    def __init__(self) -> None:
        self._wall, self._processor = time.perf_counter(), self._processor_seconds()

    def spent(self) -> tuple[float, float]:
        """Return elapsed seconds and seconds of processor time."""
        return time.perf_counter() - self._wall, self._processor_seconds() - self._processor

    @staticmethod
    def _processor_seconds() -> float:
        times = os.times()
        return times.user + times.system + times.children_user + times.children_system


def babble(seconds: int, rate: int) -> np.ndarray:
    """Make stereo noise with the rhythm of syllables, interleaved int16, shape (1, 2 * n)."""
    noise = np.random.default_rng(7).standard_normal((seconds * rate, 2))
    smooth = np.apply_along_axis(lambda x: np.convolve(x, np.hanning(12), "same"), 0, noise)
    swell = np.clip(np.sin(np.arange(seconds * rate) * 2 * np.pi * 4 / rate), 0, 1)[:, None]
    samples: np.ndarray = (smooth * swell * 1500).astype(np.int16).reshape(1, -1)
    return samples


def write_hour(path: Path, muxer: str, codec: str, rate: int, options: dict[str, str]) -> Path:
    """Encode one minute and repeat its packets for an hour."""
    with av.open(str(path), "w", format=muxer, options=options) as container:
        stream: Any = container.add_stream(codec, rate=rate, layout="stereo")
        stream.bit_rate = 128_000
        samples, size = babble(60, rate), 2 * 960
        packets = []
        fitter = av.AudioResampler(format=stream.format, layout="stereo", rate=rate, frame_size=0)
        queue = av.AudioFifo()
        for at in range(0, samples.size, size):
            frame = av.AudioFrame.from_ndarray(samples[:, at : at + size], format="s16", layout="stereo")
            frame.sample_rate, frame.pts, frame.time_base = rate, at // 2, Fraction(1, rate)
            for fitted in fitter.resample(frame):
                queue.write(fitted)
            stream.codec_context.open(strict=False)
            for full in queue.read_many(stream.codec_context.frame_size):
                packets += stream.encode(full)
        step = packets[1].pts - packets[0].pts
        count = round(HOUR_SECONDS / (step * packets[0].time_base))
        payloads = itertools.cycle([bytes(packet) for packet in packets])
        for number, payload in enumerate(itertools.islice(payloads, count)):
            packet = av.Packet(payload)
            packet.pts = packet.dts = number * step
            packet.duration, packet.time_base, packet.stream = step, packets[0].time_base, stream
            container.mux(packet)
    return path


def time_probe(path: Path) -> Measured:
    clock = Clock()
    probe(path, LIMITS)
    spent = clock.spent()
    report = sandbox.run("probe", path, sandbox.SandboxLimits(CPU_SECONDS, LIMITS.wall_seconds))
    return *spent, report.peak_rss_bytes / 1e6


def time_decode(path: Path, pcm: Path) -> Measured:
    with capture_logs() as logs:
        clock = Clock()
        decoded = decode(path, pcm, LIMITS.max_seconds)
        spent = clock.spent()
    assert abs(decoded.duration_seconds - HOUR_SECONDS) < 1, decoded
    assert decoded.bad_packet_count == 0, decoded
    return *spent, next(entry["peak_rss_bytes"] for entry in logs if entry["event"] == "media_decoded") / 1e6


def time_speech(pcm: Path) -> Measured:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_search, (pcm,))


def _search(pcm: Path) -> Measured:
    find_speech(read_pcm(pcm)[:16_000])  # loads the model, whose time does not count
    clock = Clock()
    find_speech(read_pcm(pcm))
    spent = clock.spent()
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return *spent, int(status["VmHWM"].split()[0]) / 1000


def median(measure: Callable[..., Measured], *arguments: Any) -> Measured:
    runs = [measure(*arguments) for _ in range(RUNS)]
    wall, processor, megabytes = (statistics.median(column) for column in zip(*runs, strict=True))
    return wall, processor, megabytes


def machine() -> str:
    """Return the processor and the number of available cores."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    return f"{name}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}, PyAV {av.__version__}"


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="speakr-benchmark-") as folder:
        home = Path(folder)
        pcm = home / "pcm"
        mp3 = write_hour(home / "hour.mp3", "mp3", "libmp3lame", 44_100, {"write_xing": "0"})
        webm = write_hour(home / "hour.webm", "webm", "libopus", 48_000, {})
        rows = {
            "probe, MP3": median(time_probe, mp3),
            "probe, WebM": median(time_probe, webm),
            "decode, WebM Opus": median(time_decode, webm, pcm),
            "decode, MP3": median(time_decode, mp3, pcm),
            "find speech": median(time_speech, pcm),
        }
    print(machine())
    print(f"1 h of audio, medians of {RUNS} runs\n")
    print(f"{'':20}{'wall s':>9}{'CPU s':>9}{'x real time':>13}{'RTF':>9}{'peak MB':>9}")
    for name, (wall, processor, megabytes) in rows.items():
        speed, factor = HOUR_SECONDS / wall, wall / HOUR_SECONDS
        print(f"{name:20}{wall:9.2f}{processor:9.2f}{speed:13.0f}{factor:9.5f}{megabytes:9.0f}")
    wall, _, megabytes = rows["decode, MP3"]
    is_met = wall <= GOAL_SECONDS and megabytes <= GOAL_MEGABYTES
    goal = f"an hour of MP3 in {GOAL_SECONDS:g} s and {GOAL_MEGABYTES:g} MB"
    print(f"\ngoal, {goal}: {'met' if is_met else 'missed'}")
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
