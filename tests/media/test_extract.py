"""Dropping the picture."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

from speakr.domain.errors import UnusableMedia
from speakr.media.extract import extract_audio
from tests.media.synth import write_media


def packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(container.streams.audio[0]) if packet.size]


def test_the_sound_is_copied_not_encoded_anew(tmp_path: Path) -> None:
    film, sound = write_media(tmp_path / "film", "mp4", "aac", picture="mpeg4", seconds=5), tmp_path / "sound"
    info = extract_audio(film, sound)
    assert packets(sound) == packets(film)
    assert sound.stat().st_size < film.stat().st_size
    assert (info.mime_type, info.has_video) == ("audio/mp4", False)
    assert info.duration_seconds == pytest.approx(5, abs=0.05)


def test_sound_that_came_late_in_the_film_begins_at_once(tmp_path: Path) -> None:
    film, sound = tmp_path / "film", tmp_path / "sound"
    with av.open(str(film), "w", format="matroska") as container:
        stream = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
        frame = av.AudioFrame(format="s16", layout="mono", samples=16_000)
        frame.sample_rate, frame.pts = 16_000, 3 * 16_000
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert extract_audio(film, sound).duration_seconds == pytest.approx(1, abs=0.01)


def test_nothing_of_the_file_but_the_sound_is_kept(tmp_path: Path) -> None:
    """Videos contain places and names that must not be stored."""
    film = write_media(
        tmp_path / "film",
        "mp4",
        "aac",
        picture="mpeg4",
        metadata={"title": "Secret garden", "location": "+52.5+013.4/"},
    )
    assert b"Secret garden" in film.read_bytes()
    extract_audio(film, tmp_path / "sound")
    raw = (tmp_path / "sound").read_bytes()
    assert b"Secret garden" not in raw
    assert b"+52.5+013.4" not in raw


def test_it_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    film = write_media(tmp_path / "film", "mp4", "aac", picture="mpeg4")
    extract_audio(film, out / "sound")
    assert [path.name for path in out.iterdir()] == ["sound"]
    film.write_bytes(film.read_bytes()[:2000])
    with pytest.raises(UnusableMedia):
        extract_audio(film, out / "other")
    assert [path.name for path in out.iterdir()] == ["sound"]
