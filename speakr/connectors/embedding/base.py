"""What an embedding engine must offer, and how a vector is kept."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Protocol

MAX_DIMENSIONS = 8192
"""No model is known to have more; a server that says so has gone astray."""


class EmbeddingConnector(Protocol):
    """One embedding engine."""

    name: str
    model: str
    """Vectors of different models cannot be compared."""

    def embed(self, texts: Sequence[str], *, most_seconds: float | None = None) -> list[bytes]:
        """Return the vector of each text as `pack` makes it, all of one length.

        most_seconds: wait for less than usual. Raises `ConnectorRejected` when asking again cannot help and
        `ConnectorUnavailable` when it may.
        """
        ...


def pack(values: object) -> bytes:
    """Return a vector of length 1 as half floats, little-endian.

    Raises:
        ValueError: it is no vector, or one that points nowhere.

    """
    if not isinstance(values, list) or not 0 < len(values) <= MAX_DIMENSIONS:
        raise ValueError("not a list of numbers")
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in values):
        raise ValueError("not numbers")
    try:
        length = math.hypot(*values)
        if not 0.0 < length < math.inf:  # nor NaN
            raise ValueError("no direction")
        return struct.pack(f"<{len(values)}e", *(value / length for value in values))
    except (OverflowError, struct.error):
        raise ValueError("numbers out of range") from None
