"""Whisper models: known sizes, models on disk, and the files that each needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from speakr.domain.errors import ConnectorRejected

NEEDED_FILES: Final = ("model.bin", "config.json", "tokenizer.json")
"""And a vocabulary. Without tokenizer.json the library would ask the hub for one, and wait for half a minute."""
VOCABULARIES: Final = ("vocabulary.txt", "vocabulary.json")
OTHER_FILES: Final = ("preprocessor_config.json",)
DEFAULT_MODEL: Final = "base"


@dataclass(frozen=True, slots=True)
class Published:
    """A model on the hub: its repository and its size, in megabytes, without the small files."""

    repository: str
    megabytes: int


PUBLISHED: Mapping[str, Published] = {
    "tiny": Published("Systran/faster-whisper-tiny", 76),
    "tiny.en": Published("Systran/faster-whisper-tiny.en", 76),
    "base": Published("Systran/faster-whisper-base", 145),
    "base.en": Published("Systran/faster-whisper-base.en", 145),
    "small": Published("Systran/faster-whisper-small", 484),
    "small.en": Published("Systran/faster-whisper-small.en", 484),
    "medium": Published("Systran/faster-whisper-medium", 1528),
    "medium.en": Published("Systran/faster-whisper-medium.en", 1528),
    "large-v2": Published("Systran/faster-whisper-large-v2", 3087),
    "large-v3": Published("Systran/faster-whisper-large-v3", 3087),
    "large-v3-turbo": Published("mobiuslabsgmbh/faster-whisper-large-v3-turbo", 1618),
    "distil-large-v3": Published("Systran/faster-distil-whisper-large-v3", 1513),
}


def folder_of(models_dir: Path, model: str) -> Path:
    """Return the folder of a model: the name itself if it is an absolute path, else a folder in the models' folder."""
    path = Path(model)
    if path.is_absolute():
        return path
    if path.name != model or model in {"", ".", ".."}:
        raise ConnectorRejected("A Whisper model is named by its folder's name or its absolute path.")
    return models_dir / model


def missing_files(folder: Path) -> list[str]:
    """Return the names of files that a model's folder lacks; empty when it can be loaded."""
    missing = [name for name in NEEDED_FILES if not _has_content(folder / name)]
    if not any(_has_content(folder / name) for name in VOCABULARIES):
        missing.append(VOCABULARIES[0])
    return missing


def _has_content(path: Path) -> bool:
    try:
        return path.is_file() and path.stat().st_size > 0
    except OSError:
        return False


def size_bytes(models_dir: Path, model: str) -> int | None:
    """Return the size of a model in bytes, on disk or at the hub; None if unknown."""
    try:
        return (folder_of(models_dir, model) / NEEDED_FILES[0]).stat().st_size
    except (OSError, ConnectorRejected):
        known = PUBLISHED.get(model)
        return None if known is None else known.megabytes * 1_000_000


def is_downloaded(models_dir: Path, model: str) -> bool:
    """Return True if a model can be loaded without the hub."""
    try:
        return not missing_files(folder_of(models_dir, model))
    except ConnectorRejected:
        return False
