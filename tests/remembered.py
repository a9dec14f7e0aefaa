"""Looking at the same bytes again. Each look is a child process; what it said of small files is remembered.

What these functions stand in for has its own tests, in `tests/media` and wherever real servers run.
"""

from __future__ import annotations

from pathlib import Path

from speakr.media import decode as decoding
from speakr.media import probe as probing
from speakr.media.base import DecodedAudio, MediaInfo, MediaLimits

_SMALL_BYTES = 1 << 20

_looks: dict[tuple[bytes, MediaLimits], MediaInfo] = {}
_sounds: dict[tuple[bytes, float], tuple[DecodedAudio, bytes]] = {}


def probe(path: Path, limits: MediaLimits) -> MediaInfo:
    """As `speakr.media.probe.probe`; failures are not remembered."""
    if path.stat().st_size > _SMALL_BYTES:
        return probing.probe(path, limits)
    key = path.read_bytes(), limits
    if key not in _looks:
        _looks[key] = probing.probe(path, limits)
    return _looks[key]


def decode(source: Path, pcm: Path, max_seconds: float) -> DecodedAudio:
    """As `speakr.media.decode.decode`; failures are not remembered."""
    if source.stat().st_size > _SMALL_BYTES:
        return decoding.decode(source, pcm, max_seconds)
    key = source.read_bytes(), max_seconds
    if key not in _sounds:
        _sounds[key] = decoding.decode(source, pcm, max_seconds), pcm.read_bytes()
    decoded, samples = _sounds[key]
    pcm.write_bytes(samples)
    return decoded
