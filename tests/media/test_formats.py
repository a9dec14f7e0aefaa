"""Every kind of container: detected by its bytes, decoded completely, and its audio extracted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from speakr.media.base import SAMPLE_RATE, MediaLimits
from speakr.media.decode import decode
from speakr.media.extract import extract_audio
from speakr.media.probe import probe
from speakr.media.speech import read_pcm
from tests.media.conftest import TEN_HOURS
from tests.media.synth import HERTZ, write_media


@dataclass(frozen=True)
class Case:
    muxer: str
    codec: str
    container: str
    media_type: str
    extension: str
    sound: str
    """Container of the extracted audio."""
    picture: str | None = None
    rate: int = 44_100
    layout: str = "stereo"

    def __str__(self) -> str:
        return "-".join(filter(None, (self.muxer, self.codec, self.picture, self.layout)))


CASES = [
    Case("mp3", "libmp3lame", "mp3", "audio/mpeg", "mp3", "mp3"),
    Case("wav", "pcm_s16le", "wav", "audio/wav", "wav", "wav"),
    Case("wav", "pcm_f32le", "wav", "audio/wav", "wav", "wav", rate=96_000),
    Case("wav", "pcm_mulaw", "wav", "audio/wav", "wav", "wav", rate=8_000, layout="mono"),
    Case("wav", "adpcm_ima_wav", "wav", "audio/wav", "wav", "wav"),
    Case("wav", "pcm_s16le", "wav", "audio/wav", "wav", "wav", rate=10_000, layout="7.1"),
    Case("w64", "pcm_s24le", "w64", "audio/x-w64", "w64", "wav"),
    Case("ipod", "aac", "mp4", "audio/mp4", "m4a", "mp4"),
    Case("ipod", "alac", "mp4", "audio/mp4", "m4a", "mp4"),
    Case("adts", "aac", "aac", "audio/aac", "aac", "mp4"),
    Case("flac", "flac", "flac", "audio/flac", "flac", "flac"),
    Case("ogg", "libopus", "ogg", "audio/ogg", "opus", "ogg", rate=48_000),
    Case("ogg", "vorbis", "ogg", "audio/ogg", "ogg", "ogg"),
    Case("webm", "libopus", "webm", "audio/webm", "webm", "ogg", rate=48_000),
    Case("webm", "libopus", "webm", "video/webm", "webm", "ogg", picture="libvpx", rate=48_000),
    Case("mp4", "aac", "mp4", "video/mp4", "mp4", "mp4", picture="mpeg4"),
    Case("mp4", "ac3", "mp4", "video/mp4", "mp4", "matroska", picture="mpeg4"),
    Case("mov", "aac", "mov", "video/quicktime", "mov", "mp4", picture="mpeg4"),
    Case("mov", "pcm_s16le", "mov", "video/quicktime", "mov", "wav", picture="mjpeg"),
    Case("matroska", "aac", "matroska", "video/x-matroska", "mkv", "mp4", picture="mpeg4"),
    Case("matroska", "flac", "matroska", "audio/x-matroska", "mka", "flac"),
    Case("asf", "wmav2", "asf", "audio/x-ms-wma", "wma", "asf"),
    Case("asf", "wmav2", "asf", "video/x-ms-wmv", "wmv", "asf", picture="wmv2"),
    Case("amr", "libopencore_amrnb", "amr", "audio/amr", "amr", "amr", rate=8_000, layout="mono"),
    Case("3gp", "libopencore_amrnb", "3gp", "audio/3gpp", "3gp", "amr", rate=8_000, layout="mono"),
    Case("3gp", "aac", "3gp", "video/3gpp", "3gp", "mp4", picture="mpeg4"),
    Case("3g2", "aac", "3g2", "audio/3gpp2", "3g2", "mp4"),
    Case("aiff", "pcm_s16be", "aiff", "audio/aiff", "aiff", "aiff"),
    Case("avi", "libmp3lame", "avi", "video/x-msvideo", "avi", "mp3", picture="mpeg4"),
    Case("caf", "pcm_s16be", "caf", "audio/x-caf", "caf", "aiff"),
    Case("flv", "libmp3lame", "flv", "video/x-flv", "flv", "mp3", picture="flv"),
    Case("mpegts", "aac", "mpegts", "video/mp2t", "ts", "mp4", picture="mpeg2video"),
    Case("mpeg", "mp2", "mpeg", "video/mpeg", "mpg", "matroska", picture="mpeg2video"),
    Case("wv", "wavpack", "wv", "audio/x-wavpack", "wv", "matroska"),
    Case("tta", "tta", "tta", "audio/x-tta", "tta", "matroska"),
    Case("ac3", "ac3", "ac3", "audio/ac3", "ac3", "matroska"),
    Case("eac3", "eac3", "eac3", "audio/eac3", "eac3", "matroska"),
    Case("au", "pcm_s16be", "au", "audio/basic", "au", "aiff"),
]

SECONDS = 2.0
TOLERANCE = 0.06
"""Encoders add priming and fill their last frame; the worst adds 50 ms."""


def pitch(pcm: Path) -> float:
    """The loudest frequency in decoded audio, in hertz."""
    samples = read_pcm(pcm)[4000:20000]
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(samples.size)))
    return float(spectrum.argmax() * SAMPLE_RATE / samples.size)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_round_trip(case: Case, tmp_path: Path) -> None:
    source = write_media(
        tmp_path / "misleading.txt", case.muxer, case.codec,
        seconds=SECONDS, rate=case.rate, layout=case.layout, picture=case.picture,
    )  # fmt: skip
    pcm, sound = tmp_path / "pcm", tmp_path / "sound"

    info = probe(source, MediaLimits(max_seconds=TEN_HOURS))
    assert (info.container, info.mime_type, info.extension) == (
        case.container,
        case.media_type,
        case.extension,
    )
    assert info.has_video is bool(case.picture)
    assert info.audio_stream_count == 1
    assert info.duration_seconds == pytest.approx(SECONDS, abs=0.12)  # the picture may be longer

    decoded = decode(source, pcm, TEN_HOURS)
    assert decoded.duration_seconds == pytest.approx(SECONDS, abs=TOLERANCE)
    assert decoded.bad_packet_count == 0
    assert pcm.stat().st_size == round(decoded.duration_seconds * SAMPLE_RATE) * 2
    assert pitch(pcm) == pytest.approx(HERTZ, abs=2)

    extracted = extract_audio(source, sound)
    assert (extracted.container, extracted.has_video) == (case.sound, False)
    assert extracted.audio_codec == info.audio_codec
    assert decode(sound, pcm, TEN_HOURS).duration_seconds == pytest.approx(SECONDS, abs=TOLERANCE)
    assert pitch(pcm) == pytest.approx(HERTZ, abs=2)
