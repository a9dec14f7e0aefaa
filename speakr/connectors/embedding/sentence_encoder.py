"""The multilingual Universal Sentence Encoder on this machine: vectors of texts in 16 languages, in numpy.

The vectors of all word pieces pass three convolutions over neighbours, are summed, and pass a small network. Texts of
the same meaning in different languages get similar vectors.

Source: Y. Yang et al., "Multilingual Universal Sentence Encoder for Semantic Retrieval", 2019 (the smaller of the two
models); D. Cer et al., "Universal Sentence Encoder", 2018.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

MAX_PIECES: Final = 512
_BEGIN, _END = 1, 2
_WINDOWS: Final = ((2, 0), (3, 1), (5, 2))
"""Width of each convolution, and how many neighbours on the left belong to it."""

Matrix = npt.NDArray[np.float32]


class SentenceEncoder:
    """The model, loaded: about 30 MB, and a table of 65 MB that is mapped from its file and shared by processes."""

    def __init__(self, folder: Path) -> None:
        from sentencepiece import SentencePieceProcessor  # noqa: PLC0415 - the web process needs it for a question only

        self._pieces: Any = SentencePieceProcessor(model_file=str(folder / "pieces.model"))
        self._table: npt.NDArray[np.uint8] = np.load(folder / "table.npy", mmap_mode="r")
        with np.load(folder / "weights.npz", allow_pickle=False) as stored:
            self._weights: Mapping[str, Matrix] = {name: stored[name] for name in stored.files}

    def vector(self, text: str) -> Matrix:
        """Return the vector of a text, shape (512,), of length 1."""
        own = self._weights
        words = self._embedded([_BEGIN, *self._pieces.encode(text)[:MAX_PIECES], _END])
        features = [words, *(self._convolved(words, width, left) for width, left in _WINDOWS)]
        normal = self._normalized(np.concatenate(features, axis=1), own["ln_g"], own["ln_b"])
        count = np.float32(len(words))
        mean = (normal.sum(axis=0) @ own["cnn_W"] + count * own["cnn_b"]) / np.sqrt(count)
        first = np.maximum(mean @ own["d0"], 0)
        second = np.maximum(mean @ own["p1"] + first @ own["d1"], 0)
        third = np.maximum(second @ own["d2"], 0)
        vector: Matrix = np.tanh(second @ own["p3"] + third @ own["d3"]).astype(np.float32)
        length = np.linalg.norm(vector)
        return vector / length if length else vector

    def _embedded(self, pieces: list[int]) -> Matrix:
        """Return the vectors of word pieces, shape (n, 512). The table has a scale for each block of its rows."""
        rows = np.array(pieces)
        block = rows % len(self._weights["scale"])
        scale, lowest = self._weights["scale"][block, None], self._weights["lo"][block, None]
        words: Matrix = self._table[rows].astype(np.float32) * scale + lowest
        return words

    def _convolved(self, words: Matrix, width: int, left: int) -> Matrix:
        """Return two convolutions over neighbours, each added to what it was made of, shape (n, 256)."""
        own = self._weights
        state = self._normalized(
            words @ own[f"proj{width}"] + own[f"proj_b{width}"], own[f"ln_g{width}"], own[f"ln_b{width}"]
        )
        for step in (f"1_{width}", f"2_{width}"):
            seen = _windows(state, width, left) @ own[f"w{step}"] + own[f"b{step}"]
            state = np.maximum(seen, 0) + state
        return state

    def _normalized(self, values: Matrix, scale: Matrix, bias: Matrix) -> Matrix:
        centred = values - values.mean(axis=-1, keepdims=True)
        variance = (centred * centred).mean(axis=-1, keepdims=True)
        normal: Matrix = centred / np.sqrt(variance + self._weights["eps"].astype(np.float32)) * scale + bias
        return normal


def _windows(state: Matrix, width: int, left: int) -> Matrix:
    """Return each row beside its neighbours, shape (n, width * size), with zeros beyond the ends."""
    padded = np.zeros((len(state) + width - 1, state.shape[1]), np.float32)
    padded[left : left + len(state)] = state
    return np.concatenate([padded[shift : shift + len(state)] for shift in range(width)], axis=1)
