"""The interface of embedding engines, and the stored form of vectors."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Protocol

MAX_DIMENSIONS = 8192
"""Maximum number of dimensions; no known model has more."""


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
        ValueError: it is not a vector, or its length is 0.

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
