"""Routes of API families: each family keeps its rows in `matrix_rows.py` of its test folder."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

_FOLDER = Path(__file__).parents[1] / "families"


def _rows(name: str) -> set[str]:
    modules = [import_module(f"tests.families.{path.parent.name}.matrix_rows") for path in _FOUND]
    return {row for module in modules for row in getattr(module, name)}


_FOUND = sorted(_FOLDER.glob("*/matrix_rows.py"))

PUBLIC = _rows("PUBLIC")
"""Without a credential."""
NEEDS_CREDENTIAL = _rows("NEEDS_CREDENTIAL")
"""Refused without a credential; the tests of each family check this, in its error format."""
