"""Times are those of a player's clock, in the file as it was uploaded and in what is stored of it."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from speakr.domain.errors import UnusableMedia
from speakr.media.base import MediaLimits
from speakr.media.decode import decode, decode_track
from speakr.media.extract import extract_audio
from speakr.media.probe import probe
from speakr.media.refusals import NotCopied
from speakr.media.speech import read_pcm
from tests.media.conftest import TEN_HOURS
from tests.media.synth import tone, write_media
from tests.support.tracks import RATE, Track, write_tracks

TONE = tone(2.0, RATE)[0]


def starts_at(media: Path, folder: Path, track: int = 0) -> float:
    """Return the second at which the tone begins in the decoded audio."""
    pcm = folder / "pcm"
    decode_track(media, pcm, TEN_HOURS, track=track, max_channels=0)
    return int(np.argmax(np.abs(read_pcm(pcm)) > 1000)) / RATE


@pytest.mark.parametrize("delay", [0.0, 0.3, 3.0])
@pytest.mark.parametrize(
    ("muxer", "codec"),
    [
        ("mp4", "aac"),
        ("matroska", "aac"),
        ("matroska", "libopus"),
        ("matroska", "flac"),
        ("matroska", "libmp3lame"),
        ("matroska", "pcm_s16le"),
        ("mov", "pcm_s16le"),
        ("mpegts", "aac"),
    ],
)
def test_sound_that_starts_after_the_picture_keeps_its_time(
    tmp_path: Path, muxer: str, codec: str, delay: float
) -> None:
    film = write_tracks(
        tmp_path / "film", muxer, [Track(samples=TONE, codec=codec, delay=delay)], picture=True
    )
    assert starts_at(film, tmp_path) == pytest.approx(delay, abs=0.08)
    extract_audio(film, tmp_path / "sound")
    assert starts_at(tmp_path / "sound", tmp_path) == pytest.approx(delay, abs=0.08)


def test_an_edit_list_of_an_audio_file_is_silence(tmp_path: Path) -> None:
    memo = write_tracks(tmp_path / "memo", "ipod", [Track(samples=TONE, codec="aac", delay=3.0)])
    assert starts_at(memo, tmp_path) == pytest.approx(3.0, abs=0.06)


def test_players_count_from_the_first_timestamp_of_a_matroska_file(tmp_path: Path) -> None:
    film = write_tracks(
        tmp_path / "film", "matroska", [Track(samples=TONE, delay=1.0)], picture=True, start=50.0
    )
    with av.open(str(film)) as container:
        assert container.start_time == pytest.approx(50_000_000, abs=100_000)
    assert starts_at(film, tmp_path) == pytest.approx(1.0, abs=0.06)
    extract_audio(film, tmp_path / "sound")
    assert starts_at(tmp_path / "sound", tmp_path) == pytest.approx(1.0, abs=0.06)


def test_samples_before_the_start_that_no_player_plays_shift_nothing(tmp_path: Path) -> None:
    memo = write_tracks(tmp_path / "memo", "ipod", [Track(samples=TONE, codec="aac")])
    with av.open(str(memo)) as container:
        assert next(container.demux(audio=0)).pts < 0
    assert starts_at(memo, tmp_path) == pytest.approx(0.0, abs=0.06)


def test_tracks_of_one_file_have_one_clock(tmp_path: Path) -> None:
    tracks = [Track(samples=TONE, codec="aac", delay=delay) for delay in (0.0, 2.5)]
    for muxer in ("mp4", "matroska"):
        film = write_tracks(tmp_path / muxer, muxer, tracks, picture=True)
        sound = tmp_path / f"sound-{muxer}"
        info = extract_audio(film, sound)
        assert [track.codec for track in info.tracks] == ["aac", "aac"]
        for path in (film, sound):
            assert starts_at(path, tmp_path, 1) - starts_at(path, tmp_path, 0) == pytest.approx(2.5, abs=0.06)


def test_tracks_of_different_codecs_are_kept_in_one_file(tmp_path: Path) -> None:
    tracks = [
        Track(samples=TONE, codec="aac", metadata={"language": "eng"}),
        Track(samples=TONE, codec="libopus", metadata={"title": "Microphone"}),
    ]
    film = write_tracks(tmp_path / "film", "matroska", tracks, picture=True)
    info = extract_audio(film, tmp_path / "sound")
    assert info.mime_type == "audio/x-matroska"
    assert [(track.codec, track.language, track.title) for track in info.tracks] == [
        ("aac", "eng", None),
        ("opus", None, "Microphone"),
    ]


def test_sound_that_no_container_can_delay_is_not_copied(tmp_path: Path) -> None:
    film = write_tracks(
        tmp_path / "film", "matroska", [Track(samples=TONE, codec="wavpack", delay=3.0)], picture=True
    )
    with pytest.raises(NotCopied):
        extract_audio(film, tmp_path / "sound")
    assert not (tmp_path / "sound").exists()


def test_a_guessed_length_refuses_nothing(tmp_path: Path) -> None:
    """FFmpeg guesses the length of AAC without a container from its first bit rate."""
    quiet, loud = np.zeros(60 * RATE, np.int16), np.random.default_rng(1).normal(size=4 * RATE) * 8000
    sound = np.concatenate([quiet, loud.clip(-32768, 32767).astype(np.int16)])
    path = write_media(
        tmp_path / "a.aac", "adts", "aac", rate=RATE, layout="mono", sound=sound.reshape(1, -1)
    )
    with av.open(str(path)) as container:
        guess = (container.duration or 0) / av.time_base
    assert abs(guess - 64) > 8, "FFmpeg guesses well now"
    limit = (64 + guess) / 2 if guess > 64 else 70.0
    assert probe(path, MediaLimits(max_seconds=limit)).duration_seconds is not None
    with pytest.raises(UnusableMedia) as caught:
        decode(path, tmp_path / "pcm", 60.0)
    assert caught.value.slug == "too_long"


@pytest.mark.parametrize("head", [b"\x02dss", b"\x03ds2", b"\x06dss", b"\x07ds2"])
def test_dictation_files_are_refused_with_the_cure(tmp_path: Path, head: bytes) -> None:
    path = tmp_path / "d.ds2"
    path.write_bytes(head + np.random.default_rng(1).bytes(20_000))
    with pytest.raises(UnusableMedia, match=r"dictation.*Export it as WAV or MP3") as caught:
        probe(path, MediaLimits(max_seconds=TEN_HOURS))
    assert caught.value.slug == "unsupported_format"


def test_a_codec_without_decoder_is_named(tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.wav", "wav", "pcm_s16le", rate=RATE, layout="mono")
    raw = bytearray(path.read_bytes())
    raw[20:22] = (0x0270).to_bytes(2, "little")  # ATRAC3 in WAV, which is not on our list
    path.write_bytes(raw)
    with pytest.raises(UnusableMedia, match=r"no decoder for the sound in this file \(codec atrac3\)"):
        probe(path, MediaLimits(max_seconds=TEN_HOURS))


def test_g722_in_wav_is_decoded(tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.wav", "wav", "g722", rate=RATE, layout="mono")
    assert probe(path, MediaLimits(max_seconds=TEN_HOURS)).audio_codec == "adpcm_g722"
    assert decode(path, tmp_path / "pcm", TEN_HOURS).duration_seconds == pytest.approx(2, abs=0.1)
    assert np.abs(read_pcm(tmp_path / "pcm")).max() > 4000


def test_the_sound_of_broken_packets_is_measured(tmp_path: Path) -> None:
    path = write_media(tmp_path / "memo", "ipod", "aac", seconds=20)
    raw = bytearray(path.read_bytes())
    start, noise = raw.index(b"mdat") + 1000, np.random.default_rng(5)
    for at in range(start, start + 60_000, 2_000):
        raw[at : at + 60] = noise.bytes(60)
    path.write_bytes(raw)
    decoded = decode(path, tmp_path / "pcm", TEN_HOURS)
    assert decoded.skipped_seconds == pytest.approx(decoded.bad_packet_count * 1024 / 44_100, rel=0.2)
    assert not decoded.is_cut_off
