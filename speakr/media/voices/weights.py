"""Find and check the models of diarization without loading them: pyannote segmentation-3.0 and CAM++."""

from __future__ import annotations

from pathlib import Path

from speakr.model_files.catalogue import SPEAKERS
from speakr.model_files.store import ModelUnusable, open_model

MODEL_VERSION = "campplus-zh-en-advanced-1"
"""Stored with every voice vector: vectors of different models cannot be compared."""


class VoiceModelMissing(Exception):
    """The models are not prepared, or are not the ones whose thresholds these are."""


def locate_models(root: Path) -> Path:
    """Return the folder of the models after checking their hashes.

    root: of all models.

    Raises:
        VoiceModelMissing: a file is missing or changed.
    """
    try:
        return open_model(root, SPEAKERS)
    except ModelUnusable as unusable:
        raise VoiceModelMissing(str(unusable)) from None


def unavailable_reason(root: Path) -> str | None:
    """Return why diarization is not available on this server; None if it is."""
    try:
        locate_models(root)
    except VoiceModelMissing as missing:
        return str(missing)
    return None
