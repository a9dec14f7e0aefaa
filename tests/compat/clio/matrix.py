"""Clio's routes in the access matrix."""

from __future__ import annotations

from tests.compat.clio.matrix_rows import NEEDS_CREDENTIAL, PUBLIC
from tests.matrix.families import FamilyRows

ROWS = FamilyRows(
    prefix="/clio",
    elsewhere={*NEEDS_CREDENTIAL, *(row for row in PUBLIC if row.startswith("POST "))},
    public={row for row in PUBLIC if row.startswith("GET ")},
)
"""The tests beside this module check who may call them: their users log in."""
