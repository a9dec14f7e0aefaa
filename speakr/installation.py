"""Where the files are that do not lie in the package: `migrations/` and `config/`."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def is_from_wheel() -> bool:
    """Tell whether a wheel was installed; `setup.py` puts the files into it. A checkout has no such folder."""
    return (PACKAGE / "bundled").is_dir()


def files() -> Path:
    """Return the folder that holds `migrations/` and `config/`."""
    return PACKAGE / "bundled" if is_from_wheel() else PACKAGE.parent
