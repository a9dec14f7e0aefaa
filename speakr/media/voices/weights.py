"""Find and check the voice encoder's weights without loading them.

Source: Resemble AI, "Resemblyzer" 0.1.4 (Apache License 2.0); the package is used for its model file and never
imported.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
from pathlib import Path

MODEL_FILE = "pretrained.pt"
MODEL_SHA256 = "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e"
MODEL_VERSION = "resemblyzer-0.1.4"
"""Kept beside every voice vector: vectors of different models cannot be compared."""

_NOT_INSTALLED = "The model that tells voices apart is not installed; requirements-models.txt brings it."
_ANOTHER = "The model that tells voices apart is not the one this version was made for; requirements-models.txt brings it."


class VoiceModelMissing(Exception):
    """The model is not installed, or is not the one whose thresholds these are."""


def locate_model() -> Path:
    """Return where the installed package keeps the weights, without importing it.

    Raises:
        VoiceModelMissing: the package is not installed.
    """
    package = importlib.util.find_spec("resemblyzer")
    if package is None or not package.submodule_search_locations:
        raise VoiceModelMissing(_NOT_INSTALLED)
    return Path(package.submodule_search_locations[0]) / MODEL_FILE


@functools.cache
def unavailable_reason() -> str | None:
    """Return why diarization is not available on this server; None if it is."""
    try:
        read_model(locate_model())
    except VoiceModelMissing as missing:
        return str(missing)
    return None


def read_model(path: Path) -> bytes:
    """Return the file after checking its hash.

    Raises:
        VoiceModelMissing: it is not there, or is another.
    """
    try:
        raw = path.read_bytes()
    except OSError:
        raise VoiceModelMissing(_NOT_INSTALLED) from None
    if hashlib.sha256(raw).hexdigest() != MODEL_SHA256:
        raise VoiceModelMissing(_ANOTHER)
    return raw
