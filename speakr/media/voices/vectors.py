"""Voice vectors: 192 numbers of length 1; vectors of one voice point in similar directions."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

DIMENSIONS: Final = 192
_TINY: Final = np.float32(1e-12)

Floats = npt.NDArray[np.float32]


def normalised(vectors: Floats) -> Floats:
    """Scale vectors to length 1; shape (n, 192) or (192,)."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: Floats = (vectors / np.maximum(lengths, _TINY)).astype(np.float32)
    return scaled
