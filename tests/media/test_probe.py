"""The results of a probe besides the container."""

from __future__ import annotations

import struct
import zlib
from datetime import UTC, datetime
from pathlib import Path

import av
import pytest

from speakr.domain.errors import UnusableMedia
from speakr.media.base import MediaLimits
from speakr.media.probe import probe
from tests.media.synth import tone, write_media


def png() -> bytes:
    """One grey pixel."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0\x80"))
        + chunk(b"IEND", b"")
    )


def id3_with_cover() -> bytes:
    """An ID3v2.3 tag with a front cover (APIC)."""
    picture = b"\0image/png\0\x03\0" + png()
    frame = b"APIC" + struct.pack(">IH", len(picture), 0) + picture
    size = bytes(len(frame) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\0\0" + size + frame


def test_cover_art_is_not_video(tmp_path: Path, limits: MediaLimits) -> None:
    bare = write_media(tmp_path / "bare", "mp3", "libmp3lame")
    covered = tmp_path / "covered"
    covered.write_bytes(id3_with_cover() + bare.read_bytes())
    with av.open(str(covered)) as container:
        assert len(container.streams.video) == 1  # or the test would prove nothing
    info = probe(covered, limits)
    assert (info.has_video, info.mime_type, info.extension) == (False, "audio/mpeg", "mp3")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2024-03-01T10:11:12.000000Z", datetime(2024, 3, 1, 10, 11, 12, tzinfo=UTC)),
        ("1970-01-01T00:00:00Z", None),
        ("1980-01-01T00:00:00Z", None),
        ("2199-01-01T00:00:00Z", None),
    ],
)
def test_the_date_of_the_recording_if_its_clock_was_set(
    tmp_path: Path, limits: MediaLimits, written: str, expected: datetime | None
) -> None:
    path = write_media(tmp_path / "memo", "ipod", "aac", seconds=0.5, metadata={"creation_time": written})
    assert probe(path, limits).recorded_at == expected


def test_a_date_that_is_none_is_no_date(tmp_path: Path, limits: MediaLimits) -> None:
    path = write_media(
        tmp_path / "memo", "flac", "flac", seconds=0.5, metadata={"creation_time": "last Tuesday"}
    )
    assert probe(path, limits).recorded_at is None


def test_all_audio_streams_are_counted(tmp_path: Path, limits: MediaLimits) -> None:
    path = tmp_path / "two"
    with av.open(str(path), "w", format="matroska") as container:
        streams = [container.add_stream("pcm_s16le", rate=16_000, layout="mono") for _ in range(2)]
        for stream in streams:
            frame = av.AudioFrame.from_ndarray(tone(1.0, 16_000), format="s16", layout="mono")
            frame.sample_rate, frame.pts = 16_000, 0
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    assert probe(path, limits).audio_stream_count == 2


def test_a_declared_length_over_the_limit_is_refused(tmp_path: Path) -> None:
    path = write_media(tmp_path / "long", "flac", "flac", seconds=3)
    assert probe(path, MediaLimits(max_seconds=3.1)).duration_seconds == pytest.approx(3)
    with pytest.raises(UnusableMedia, match="longer than the 2 minutes") as caught:
        probe(write_media(tmp_path / "longer", "flac", "flac", seconds=121, rate=8_000), MediaLimits(120))
    assert caught.value.slug == "too_long"
    assert caught.value.extra == {"max_seconds": 120}


def test_no_length_is_no_fault(tmp_path: Path, limits: MediaLimits) -> None:
    """Browsers record WebM without knowing how long it will become."""
    path = write_media(tmp_path / "live", "webm", "libopus", rate=48_000)
    raw = path.read_bytes()
    at = raw.index(b"\x44\x89\x88") + 3  # the Duration element, eight bytes of float
    path.write_bytes(raw[: at - 3] + b"\xec\x89" + bytes(9) + raw[at + 8 :])  # a Void of the same size
    info = probe(path, limits)
    assert info.duration_seconds is None
    assert info.mime_type == "audio/webm"


def test_a_slow_probe_is_the_files_fault(tmp_path: Path) -> None:
    path = write_media(tmp_path / "x", "flac", "flac", seconds=0.5)
    with pytest.raises(UnusableMedia, match="too expensive"):
        probe(path, MediaLimits(max_seconds=60, wall_seconds=0.01))
