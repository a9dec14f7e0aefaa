"""From any recording to 16 kHz mono, whatever happens on the way."""

from __future__ import annotations

import io
import struct
import wave
from pathlib import Path

import av
import numpy as np
import pytest
from structlog.testing import capture_logs

from speakr.domain.errors import MediaToolFailed, UnusableMedia
from speakr.domain.recordings import Channels, Warned
from speakr.jobs import preparing
from speakr.media import decode as decoding
from speakr.media.base import SAMPLE_RATE
from speakr.media.decode import decode
from speakr.media.probe import MAX_TRACKS
from speakr.media.sandbox import SandboxReport
from speakr.media.speech import read_pcm
from tests.media.conftest import TEN_HOURS
from tests.media.synth import tone, write_media
from tests.support.tracks import Track, write_tracks


def only_file(folder: Path, name: str) -> bool:
    """Whether the decoded audio is there and nothing was left lying about."""
    return sorted(path.name for path in folder.iterdir()) == [name]


def loudness(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(samples.astype(np.float64) ** 2)))


def test_the_file_appears_whole_and_alone(tmp_path: Path) -> None:
    source = write_media(tmp_path / "source", "flac", "flac")
    out = tmp_path / "out"
    out.mkdir()
    decode(source, out / "pcm", TEN_HOURS)
    assert only_file(out, "pcm")


def test_eight_channels_without_a_layout(tmp_path: Path) -> None:
    """The header of plain WAV has no place for one."""
    path, pcm = tmp_path / "eight.wav", tmp_path / "pcm"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(8)
        file.setsampwidth(2)
        file.setframerate(10_000)
        file.writeframes(tone(3.0, 10_000, 8).tobytes())
    assert decode(path, pcm, TEN_HOURS).duration_seconds == pytest.approx(3, abs=0.01)
    assert loudness(read_pcm(pcm)) > 1000


def test_sound_that_changes_its_kind_midway(tmp_path: Path) -> None:
    path, pcm = tmp_path / "joined.mp3", tmp_path / "pcm"
    first = write_media(tmp_path / "a", "mp3", "libmp3lame", rate=44_100, layout="stereo")
    second = write_media(tmp_path / "b", "mp3", "libmp3lame", rate=22_050, layout="mono")
    path.write_bytes(first.read_bytes() + second.read_bytes())
    decoded = decode(path, pcm, TEN_HOURS)
    assert decoded.duration_seconds == pytest.approx(4, abs=0.2)
    samples = read_pcm(pcm)
    for second_from in (0.5, 2.7):
        part = samples[round(second_from * SAMPLE_RATE) :][: SAMPLE_RATE // 2]
        assert np.abs(np.fft.rfft(part)).argmax() * 2 == pytest.approx(440, abs=4)


def test_broken_packets_are_passed_over_and_counted(tmp_path: Path) -> None:
    path, pcm = write_media(tmp_path / "memo", "ipod", "aac", seconds=20), tmp_path / "pcm"
    raw = bytearray(path.read_bytes())
    # Inside the media data only: a broken index is another matter.
    start, noise = raw.index(b"mdat") + 1000, np.random.default_rng(5)
    for at in range(start, start + 60_000, 2_000):
        raw[at : at + 60] = noise.bytes(60)
    path.write_bytes(raw)
    decoded = decode(path, pcm, TEN_HOURS)
    assert decoded.bad_packet_count > 5
    assert decoded.duration_seconds == pytest.approx(20, abs=1.5)


def test_the_front_half_of_a_file(tmp_path: Path) -> None:
    path, pcm = write_media(tmp_path / "memo", "mp3", "libmp3lame", seconds=10), tmp_path / "pcm"
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) // 2])
    assert decode(path, pcm, TEN_HOURS).duration_seconds == pytest.approx(5, abs=0.3)


def test_left_out_silence_is_put_back(tmp_path: Path) -> None:
    """Recorders with voice activation skip; what is said later must keep its time."""
    path, pcm = tmp_path / "gap.mka", tmp_path / "pcm"
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("pcm_s16le", rate=SAMPLE_RATE, layout="mono")
        for start in (0, 5):
            frame = av.AudioFrame.from_ndarray(tone(1.0, SAMPLE_RATE), format="s16", layout="mono")
            frame.sample_rate, frame.pts = SAMPLE_RATE, start * SAMPLE_RATE
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert decode(path, pcm, TEN_HOURS).duration_seconds == pytest.approx(6, abs=0.01)
    samples = read_pcm(pcm)
    assert loudness(samples[: SAMPLE_RATE - 100]) > 5000
    assert not samples[SAMPLE_RATE + 100 : 5 * SAMPLE_RATE - 100].any()
    assert loudness(samples[5 * SAMPLE_RATE + 100 :]) > 5000


def test_timestamps_from_another_world_add_nothing(tmp_path: Path) -> None:
    path, pcm = tmp_path / "jump.mka", tmp_path / "pcm"
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("pcm_s16le", rate=SAMPLE_RATE, layout="mono")
        for start in (0, 3_000_000, 3_000_001):
            frame = av.AudioFrame.from_ndarray(tone(1.0, SAMPLE_RATE), format="s16", layout="mono")
            frame.sample_rate, frame.pts = SAMPLE_RATE, start * SAMPLE_RATE
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert decode(path, pcm, TEN_HOURS).duration_seconds == pytest.approx(3, abs=0.01)


@pytest.mark.parametrize(("seconds", "fits"), [(4.0, True), (4.5, False)])
def test_the_length_is_measured_not_believed(tmp_path: Path, seconds: float, *, fits: bool) -> None:
    source = io.BytesIO()
    with wave.open(source, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(tone(seconds, SAMPLE_RATE).tobytes())
    raw = bytearray(source.getvalue())
    raw[40:44] = struct.pack("<I", 0xFFFFFFFF)  # a recorder that never came back to fill it in
    path, out = tmp_path / "source", tmp_path / "out"
    path.write_bytes(raw)
    out.mkdir()
    if fits:
        assert decode(path, out / "pcm", 4.0).duration_seconds == 4.0
        return
    with pytest.raises(UnusableMedia) as caught:
        decode(path, out / "pcm", 4.0)
    assert caught.value.slug == "too_long"
    assert list(out.iterdir()) == []


def test_memory_does_not_grow_with_the_recording(tmp_path: Path) -> None:
    minute = write_media(tmp_path / "minute", "adts", "aac", seconds=60, rate=16_000, layout="mono")
    long = tmp_path / "long"
    long.write_bytes(minute.read_bytes() * 20)
    peaks = []
    for source in (minute, long):
        with capture_logs() as logs:
            decode(source, tmp_path / "pcm", TEN_HOURS)
        (logged,) = [entry for entry in logs if entry["event"] == "media_decoded"]
        peaks.append(logged["peak_rss_bytes"])
    assert logged["seconds"] == pytest.approx(1200, abs=5)
    assert logged["network_fenced"] is True
    assert peaks[1] < 1.1 * peaks[0]
    assert peaks[1] < 80_000_000


def test_a_report_that_does_not_fit_the_file_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_media(tmp_path / "source", "flac", "flac", seconds=0.5)
    out = tmp_path / "out"
    out.mkdir()
    liar = SandboxReport({"samples": 16_000, "bad": 0}, network_fenced=True, peak_rss_bytes=1)
    monkeypatch.setattr(decoding, "run", lambda *_, **__: liar)
    with pytest.raises(MediaToolFailed):
        decode(source, out / "pcm", TEN_HOURS)
    assert list(out.iterdir()) == []


def test_an_older_file_stays_when_decoding_fails(tmp_path: Path) -> None:
    source, pcm = tmp_path / "source", tmp_path / "pcm"
    source.write_bytes(b"no media at all, only words, for what they are worth")
    pcm.write_bytes(b"older")
    with pytest.raises(UnusableMedia):
        decode(source, pcm, TEN_HOURS)
    assert pcm.read_bytes() == b"older"


class BrokenConverter:
    """Refuses the second frame, and has nothing left in the end but an error."""

    def __init__(self) -> None:
        self.frames = self.resets = 0

    def convert(self, frame: av.AudioFrame) -> list[bytes]:
        self.frames += 1
        if self.frames == 2:
            raise ValueError("no such layout")
        return [b"\x01\x00" * frame.samples]

    def reset(self) -> None:
        self.resets += 1

    def rest(self) -> list[bytes]:
        raise ValueError("nothing")


def test_a_frame_that_cannot_be_converted_becomes_silence_of_its_length() -> None:
    from speakr.media import child_decode

    written = io.BytesIO()
    output = child_decode.Output(written.write, 1 << 20)
    converter, tally = BrokenConverter(), child_decode.child.Tally()
    for _ in range(3):
        frame = av.AudioFrame(format="s16", layout="mono", samples=1600)
        frame.sample_rate = SAMPLE_RATE
        child_decode.write_frame(frame, converter, output, tally)
    child_decode.write_rest(converter, output, tally)
    samples = np.frombuffer(written.getvalue(), "<i2")
    assert [int(part.sum()) for part in np.split(samples, 3)] == [1600, 0, 1600]
    assert (converter.resets, tally.bad, tally.bad_seconds) == (1, 2, 0.1)


def test_tracks_beyond_those_that_are_described_are_counted(tmp_path: Path) -> None:
    short = np.ones(1600, np.int16)
    path = write_tracks(tmp_path / "many.mka", "matroska", [Track(samples=short)] * (MAX_TRACKS + 1))
    found = decode(path, tmp_path / "pcm", 10.0)
    assert (len(found.tracks), found.track_count) == (MAX_TRACKS, MAX_TRACKS + 1)
    warnings = preparing._warnings([found] * MAX_TRACKS, found.tracks, Channels.AUTO)
    assert warnings == [Warned.TRACK_NOT_DECODED]
