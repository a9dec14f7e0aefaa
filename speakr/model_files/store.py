"""Find prepared models, and check that their files are the ones this version was made for."""

from __future__ import annotations

import functools
import hashlib
import sys
from pathlib import Path
from typing import Final

import structlog

from speakr.model_files.catalogue import Model
from speakr.offload import run_cpu

logger = structlog.get_logger(__name__)

_BLOCK_BYTES: Final = 1 << 20


class ModelUnusable(Exception):
    """A model is not prepared, or its files are not what they should be. The message is for the operator."""


def shared_folder() -> Path:
    """Return the folder in this Python environment for models that all data folders share."""
    return Path(sys.prefix) / "share" / "speakr" / "models"


def folder_of_models(configured: str, data_dir: Path) -> Path:
    """Return the folder of all models: as configured, else the environment's if there is one, else in the data folder."""
    if configured:
        return Path(configured)
    return shared_folder() if shared_folder().is_dir() else data_dir / "models"


def open_model(root: Path, model: Model) -> Path:
    """Return the folder of a model after checking its files. The check is made once per process and state of the files.

    Raises:
        ModelUnusable: it is not there, or not whole.
    """
    folder = root / model.name
    try:
        reason = _fault(folder, tuple(sorted(model.files.items())), _state_of(folder, model))
    except OSError as error:  # not remembered: the next call reads the files again
        logger.warning("model_unreadable", model=model.name, reason=str(error))
        reason = "cannot be read at the moment"
    if reason is not None:
        raise ModelUnusable(f"The model {model.name} {reason}; `speakr models prepare` makes it.")
    return folder


def is_present(root: Path, model: Model) -> bool:
    """Tell whether all files of a model are there, without reading them."""
    return len(_state_of(root / model.name, model)) == len(model.files)


def is_prepared(root: Path, model: Model) -> bool:
    """Tell whether a model is whole."""
    try:
        open_model(root, model)
    except ModelUnusable:
        return False
    return True


def size_bytes(root: Path, model: Model) -> int:
    """Return the size of those files of a model that are there, in bytes."""
    return sum(size for _, size in _state_of(root / model.name, model))


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _state_of(folder: Path, model: Model) -> tuple[tuple[int, int], ...]:
    """Return the time and size of each file that is there."""
    found = []
    for name in sorted(model.files):
        try:
            stat = (folder / name).stat()
        except OSError:
            continue
        found.append((stat.st_mtime_ns, stat.st_size))
    return tuple(found)


@functools.lru_cache(maxsize=64)
def _fault(
    folder: Path, files: tuple[tuple[str, str], ...], state: tuple[tuple[int, int], ...]
) -> str | None:
    """Return what is wrong with a model, for the middle of a sentence; None if nothing is.

    Raises OSError if a file cannot be read; the cache keeps results only.
    """
    if not state:
        return "is not prepared on this server"
    return run_cpu(lambda: _first_fault(folder, files))


def _first_fault(folder: Path, files: tuple[tuple[str, str], ...]) -> str | None:
    for name, expected in files:
        try:
            actual = sha256_of(folder / name)
        except FileNotFoundError:
            return f"lacks {name}"
        if actual != expected:
            return f"has another {name} than this version was made for"
    return None
