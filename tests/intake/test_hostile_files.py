"""Files that are not what they say: each is refused with one typed sentence, and nothing of it stays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import wav
from tests.intake import recordings
from tests.intake.server import IntakeServer, assert_refused

pytestmark = pytest.mark.stack

LETTER = b"Dear all,\nplease find attached the minutes of the meeting.\n" * 40
WAV_HEADER_BYTES = 44


def playlist(path: Path, form: str) -> bytes:
    """A list that names a file next to it, which exists and is a recording."""
    local = path.with_name("secret.wav")
    local.write_bytes(wav(1.0))
    return form.format(local=local).encode()


def hls(path: Path) -> bytes:
    lines = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXTINF:1.0,\n{local}\n#EXT-X-ENDLIST\n"
    return playlist(path, lines)


def concat(path: Path) -> bytes:
    return playlist(path, "ffconcat version 1.0\nfile '{local}'\nduration 1.0\n")


def disguised_hls(path: Path) -> bytes:
    """The same behind a header of a container that is allowed."""
    return wav(0.1)[:WAV_HEADER_BYTES] + hls(path)


HOSTILE: dict[str, tuple[str, Callable[[Path], bytes], set[str]]] = {
    "empty": ("a.wav", lambda _: b"", {"empty_file"}),
    "a letter": ("letter.mp3", lambda _: LETTER, {"not_media"}),
    "half a film": ("film.mp4", recordings.film_cut_short, {"undecodable"}),
    "random bytes": ("a.ogg", lambda _: np.random.default_rng(1).bytes(200_000), {"not_media"}),
    "an HLS playlist": ("a.m3u8", hls, {"unsupported_format"}),
    "an HLS playlist called mp3": ("a.mp3", hls, {"unsupported_format"}),
    "a concat script": ("a.ffconcat", concat, {"unsupported_format"}),
    "a concat script called wav": ("a.wav", concat, {"unsupported_format"}),
    "a film without sound": ("film.mp4", recordings.silent_film, {"no_audio_stream"}),
    "a WAV of no length": ("a.wav", lambda _: wav(0.0), {"undecodable"}),
    "half a header": ("a.wav", lambda _: wav(1.0)[:20], {"undecodable"}),
    "a web page": ("a.m4a", lambda _: b"<!DOCTYPE html><html>404 Not Found</html>", {"not_media"}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_typed(server: IntakeServer, tmp_path: Path, name: str) -> None:
    filename, make, codes = HOSTILE[name]
    data = make(tmp_path / "made")
    with server.keeps_nothing():
        answer = server.upload(data, filename)
    body = answer.json()
    assert body["code"] in codes
    assert_refused(answer, 400, body["code"])


def test_a_playlist_in_disguise_reads_no_other_file(server: IntakeServer, tmp_path: Path) -> None:
    """It may pass as noise, but what the server then keeps is what was sent and nothing else."""
    data = disguised_hls(tmp_path / "made")
    answer = server.upload(data, "a.wav")
    if answer.status_code == 202:
        stored = server.request("GET", f"/api/v1/recordings/{answer.json()['id']}/audio")
        assert stored.content == data
    else:
        assert_refused(answer, 400, answer.json()["code"])


def test_a_silence_of_months_is_refused_at_once(server: IntakeServer) -> None:
    """3 MB of FLAC that say they last 400 hours."""
    with server.keeps_nothing():
        answer = server.upload(recordings.flac_of_silence(3_000_000, tells_length=True), "night.flac")
    body = assert_refused(answer, 400, "too_long")
    assert body["max_seconds"] == 12 * 3600
