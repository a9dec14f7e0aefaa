"""Files that are not what they say, made by accident or on purpose."""

from __future__ import annotations

import itertools
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from speakr.domain.errors import UnusableMedia
from speakr.media.base import MediaLimits
from speakr.media.decode import decode
from speakr.media.extract import extract_audio
from speakr.media.probe import probe
from tests.media.conftest import TEN_HOURS
from tests.media.synth import tone, write_media


def wav(*, rate: int, channels: int = 1, size: int | None = None, samples: bytes = b"") -> bytes:
    size = len(samples) if size is None else size
    width = channels * 2
    return (
        struct.pack("<4sI4s", b"RIFF", (36 + size) & 0xFFFFFFFF, b"WAVE")
        + struct.pack(
            "<4sIHHIIHH", b"fmt ", 16, 1, channels, rate, rate * width & 0xFFFFFFFF, width & 0xFFFF, 16
        )
        + struct.pack("<4sI", b"data", size)
        + samples
    )


def no_index(tmp_path: Path) -> bytes:
    """A film whose camera lost power: media, but the index that comes last is missing."""
    raw = write_media(tmp_path / "film", "mp4", "aac", picture="mpeg4").read_bytes()
    return raw[: raw.index(b"moov") - 4]


def silent_film(tmp_path: Path) -> bytes:
    import av

    with av.open(str(tmp_path / "silent"), "w", format="mp4") as container:
        video = container.add_stream("mpeg4", rate=10)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        for number in range(10):
            frame = av.VideoFrame(64, 48, "yuv420p")
            frame.pts = number
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    return (tmp_path / "silent").read_bytes()


def photograph(_: Path) -> bytes:
    from tests.media.test_probe import png

    return png()


USELESS: dict[str, tuple[Callable[[Path], bytes], str]] = {
    "empty": (lambda _: b"", "empty_file"),
    "text": (lambda _: b"Dear all,\nplease find attached the minutes of the meeting.\n" * 20, "not_media"),
    "page": (lambda _: b"<!DOCTYPE html><html><body>404 Not Found</body></html>", "not_media"),
    "noise": (lambda _: np.random.default_rng(1).bytes(300_000), "not_media"),
    "zeros": (lambda _: bytes(300_000), "not_media"),
    "program": (lambda _: b"\x7fELF\x02\x01\x01" + bytes(5000), "not_media"),
    "photograph": (photograph, "unsupported_format"),
    "silent film": (silent_film, "no_audio_stream"),
    "film without index": (no_index, "undecodable"),
    "no samples": (lambda _: wav(rate=16_000), "undecodable"),
    "one hertz": (lambda _: wav(rate=1, samples=bytes(400_000)), "undecodable"),
    "four gigahertz": (lambda _: wav(rate=4_000_000_000, samples=bytes(400_000)), "undecodable"),
    "65535 channels": (lambda _: wav(rate=16_000, channels=65_535, samples=bytes(400_000)), "undecodable"),
    "half a header": (lambda _: wav(rate=16_000)[:20], "undecodable"),
    "playlist": (lambda _: b"#EXTM3U\n#EXTINF:10,\n/etc/passwd\n", "unsupported_format"),
    "playlist after a mark": (lambda _: b"\xef\xbb\xbf\n#EXTM3U\n/etc/passwd\n", "unsupported_format"),
    "list of files": (lambda _: b"ffconcat version 1.0\nfile /etc/passwd\n", "unsupported_format"),
    "session description": (
        lambda _: b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
        "unsupported_format",
    ),
}


@pytest.mark.parametrize("name", USELESS)
def test_useless_files_are_refused_with_their_reason(name: str, tmp_path: Path, limits: MediaLimits) -> None:
    make, slug = USELESS[name]
    path = tmp_path / "innocent.mp3"
    path.write_bytes(make(tmp_path))
    started = time.monotonic()
    with pytest.raises(UnusableMedia) as caught:
        probe(path, limits)
    assert caught.value.slug == slug
    assert time.monotonic() - started < 5
    assert_speaks_to_users(caught.value, tmp_path)


@pytest.mark.parametrize("name", USELESS)
@pytest.mark.parametrize("tool", ["decode", "extract"])
def test_they_leave_nothing_behind(name: str, tool: str, tmp_path: Path) -> None:
    make, _ = USELESS[name]
    path, out = tmp_path / "innocent.mp3", tmp_path / "out"
    path.write_bytes(make(tmp_path))
    out.mkdir()
    with pytest.raises(UnusableMedia) as caught:
        if tool == "decode":
            decode(path, out / "x", TEN_HOURS)
        else:
            extract_audio(path, out / "x")
    assert list(out.iterdir()) == []
    assert_speaks_to_users(caught.value, tmp_path)


def assert_speaks_to_users(error: UnusableMedia, folder: Path) -> None:
    assert error.message.endswith(".")
    assert error.__cause__ is None
    for word in (str(folder), "/", "fd:", "Errno", "Invalid data", "av.", "Error", "rc", "0x"):
        assert word not in error.message


def test_sizes_of_a_recorder_that_was_cut_off(tmp_path: Path, limits: MediaLimits) -> None:
    path = tmp_path / "cut.wav"
    path.write_bytes(wav(rate=16_000, size=0xFFFFFFFF, samples=tone(3.0, 16_000).tobytes()))
    assert probe(path, limits).mime_type == "audio/wav"
    assert decode(path, tmp_path / "pcm", TEN_HOURS).duration_seconds == pytest.approx(3)


# -- files that point elsewhere


@pytest.fixture
def trap() -> Iterator[tuple[int, list[str]]]:
    """A listener that no decoder may ever reach: its port, and its connections."""
    visitors: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def welcome() -> None:
            while True:
                try:
                    guest, address = server.accept()
                except OSError:
                    return
                visitors.append(f"{address[0]}:{address[1]}")
                guest.close()

        thread = threading.Thread(target=welcome, daemon=True)
        thread.start()
        port = server.getsockname()[1]
        yield port, visitors
        socket.create_connection(("127.0.0.1", port)).close()  # the trap itself works
        deadline = time.monotonic() + 5
        while not visitors and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(visitors) == 1
        server.shutdown(socket.SHUT_RDWR)
    thread.join(5)


POINTERS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{target}\n#EXT-X-ENDLIST\n",
    "hls master": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{target}\n",
    "hls key": '#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="{target}"\n#EXTINF:10,\n{target}\n#EXT-X-ENDLIST\n',
    "concat": "ffconcat version 1.0\nfile '{target}'\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period><AdaptationSet '
    'mimeType="audio/mp4"><Representation id="1"><BaseURL>{target}</BaseURL></Representation></AdaptationSet>'
    "</Period></MPD>",
    "pls": "[playlist]\nFile1={target}\nNumberOfEntries=1\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio {port} RTP/AVP 0\na=x:{target}\n",
}


@pytest.mark.parametrize(
    ("kind", "scheme"), list(itertools.product(POINTERS, ["http", "tcp", "file", "path"]))
)
def test_nothing_that_a_file_points_to_is_opened(
    kind: str, scheme: str, trap: tuple[int, list[str]], tmp_path: Path, limits: MediaLimits
) -> None:
    port, visitors = trap
    neighbour = write_media(tmp_path / "neighbour.wav", "wav", "pcm_s16le", seconds=0.5)
    target = {
        "http": f"http://127.0.0.1:{port}/x.ts", "tcp": f"tcp://127.0.0.1:{port}",
        "file": f"file://{neighbour}", "path": str(neighbour),
    }[scheme]  # fmt: skip
    path = tmp_path / "song.m3u8"
    path.write_text(POINTERS[kind].format(target=target, port=port))
    with pytest.raises(UnusableMedia) as caught:
        probe(path, limits)
    assert caught.value.slug in {"unsupported_format", "not_media"}
    # FFmpeg must refuse it too, without Speakr's check of the first bytes.
    with pytest.raises(UnusableMedia):
        decode(path, tmp_path / "pcm", TEN_HOURS)
    assert visitors == []


# -- files that cost more than they weigh


def endless_flac(hours: float, *, declared: bool) -> bytes:
    """Hours of silence in a few hundred kilobytes: 8 seconds in each 14-byte frame (RFC 9639)."""
    block, rate = 65_535, 8_000
    frames = round(hours * 3600 * rate / block)
    samples = frames * block if declared else 0
    info = struct.pack(">HH", block, block) + bytes(6)
    info += (rate << 44 | 0 << 41 | 15 << 36 | samples).to_bytes(8, "big") + bytes(16)
    body = bytearray(b"fLaC\x80" + len(info).to_bytes(3, "big") + info)
    for number in range(frames):
        head = bytes([0xFF, 0xF8, 0x74, 0x08]) + _coded(number) + struct.pack(">H", block - 1)
        frame = head + bytes([_crc(head, 0x07, 8)]) + b"\0\0\0"
        body += frame + _crc(frame, 0x8005, 16).to_bytes(2, "big")
    return bytes(body)


def _coded(number: int) -> bytes:
    return chr(number).encode("utf-8", "surrogatepass")


def _crc(data: bytes, polynomial: int, width: int) -> int:
    value, top, mask = 0, 1 << width - 1, (1 << width) - 1
    for byte in data:
        value ^= byte << width - 8
        for _ in range(8):
            value = (value << 1 ^ polynomial if value & top else value << 1) & mask
    return value


def test_a_small_file_that_says_it_lasts_for_days(tmp_path: Path, limits: MediaLimits) -> None:
    path = tmp_path / "days.flac"
    path.write_bytes(endless_flac(100, declared=True))
    assert path.stat().st_size < 1_000_000
    with pytest.raises(UnusableMedia, match="10 hours") as caught:
        probe(path, limits)
    assert caught.value.slug == "too_long"


def test_a_small_file_that_does_not_say_it_lasts_for_days(tmp_path: Path) -> None:
    path, out = tmp_path / "days.flac", tmp_path / "out"
    path.write_bytes(endless_flac(20, declared=False))
    out.mkdir()
    started = time.monotonic()
    with pytest.raises(UnusableMedia) as caught:
        decode(path, out / "pcm", max_seconds=1200)
    assert caught.value.slug == "too_long"
    assert time.monotonic() - started < 5
    assert list(out.iterdir()) == []


@pytest.mark.parametrize(
    ("muxer", "codec"), [("mp3", "libmp3lame"), ("ipod", "aac"), ("flac", "flac"), ("webm", "libopus")]
)
def test_damage_anywhere_ends_well(muxer: str, codec: str, tmp_path: Path) -> None:
    """Bytes thrown in at random: it decodes or it is refused, and never takes the child down."""
    sound = write_media(tmp_path / "sound", muxer, codec, seconds=3, rate=48_000).read_bytes()
    for seed in range(4):
        noise = np.random.default_rng(seed)
        raw = bytearray(sound)
        for at in noise.integers(0, len(raw), 200):
            raw[at] = noise.integers(256)
        path = tmp_path / f"damaged{seed}"
        path.write_bytes(raw)
        try:
            assert decode(path, tmp_path / "pcm", 60).duration_seconds > 0
        except UnusableMedia as error:
            assert_speaks_to_users(error, tmp_path)
