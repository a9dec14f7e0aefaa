"""The voice encoder: 1.6 seconds of speech in, a voice vector of 256 numbers out.

Three layers of LSTM over a mel spectrogram; the last hidden state, through a linear layer, cut off below zero
and scaled to length 1, is the vector ("d-vector"). The cosine of two vectors measures the similarity of two voices.

Source: L. Wan et al., "Generalized end-to-end loss for speaker verification", ICASSP 2018.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from speakr.media.voices.checkpoint import Tensors, read_checkpoint
from speakr.media.voices.mel import FRAMES_PER_SECOND
from speakr.media.voices.weights import locate_model, read_model

WINDOW_FRAMES: Final = 160
WINDOW_SECONDS: Final = WINDOW_FRAMES / FRAMES_PER_SECOND
DIMENSIONS: Final = 256
LAYERS: Final = 3
BATCH_WINDOWS: Final = 64
"""Windows per batch; more take more memory (10 MB per 64) and no less time."""

_TINY: Final = 1e-9

Floats = npt.NDArray[np.float32]


class _Layer(NamedTuple):
    """Gates in the order input, forget, cell, output; inputs (n, 1024), hidden (256, 1024), bias (1024,)."""

    inputs: Floats
    hidden: Floats
    bias: Floats


class VoiceEncoder:
    """The encoder, loaded: 6 MB, 30 ms."""

    def __init__(self, tensors: Tensors | None = None) -> None:
        """Load the weights.

        Raises:
            VoiceModelMissing: they are not there, or are others.
        """
        tensors = read_checkpoint(read_model(locate_model())) if tensors is None else tensors
        self._layers = [
            _Layer(
                np.ascontiguousarray(tensors[f"lstm.weight_ih_l{at}"].T),
                np.ascontiguousarray(tensors[f"lstm.weight_hh_l{at}"].T),
                tensors[f"lstm.bias_ih_l{at}"] + tensors[f"lstm.bias_hh_l{at}"],
            )
            for at in range(LAYERS)
        ]
        self._projection = np.ascontiguousarray(tensors["linear.weight"].T)
        self._projection_bias = tensors["linear.bias"]

    def embed(self, windows: Iterable[Floats]) -> Floats:
        """Return a voice vector of length 1 for each window, shape (windows, 256).

        windows: mel spectrograms, shape (160, 40) each.
        """
        vectors = [np.zeros((0, DIMENSIONS), np.float32)]
        batch: list[Floats] = []
        for window in windows:
            batch.append(window)
            if len(batch) == BATCH_WINDOWS:
                vectors.append(self._forward(np.stack(batch)))
                batch.clear()
        if batch:
            vectors.append(self._forward(np.stack(batch)))
        return np.concatenate(vectors)

    def _forward(self, mels: Floats) -> Floats:
        """mels: shape (batch, frames, 40)."""
        sequence = np.ascontiguousarray(mels.transpose(1, 0, 2))
        for layer in self._layers:
            sequence = _run(layer, sequence)
        vectors = np.maximum(sequence[-1] @ self._projection + self._projection_bias, 0)
        return normalised(vectors)


def _run(layer: _Layer, sequence: Floats) -> Floats:
    """Return the hidden states of one layer. sequence: shape (frames, batch, inputs)."""
    frames, batch, width = sequence.shape
    fed = (sequence.reshape(frames * batch, width) @ layer.inputs + layer.bias).reshape(frames, batch, -1)
    hidden = np.zeros((batch, DIMENSIONS), np.float32)
    cell = np.zeros_like(hidden)
    states = np.empty((frames, batch, DIMENSIONS), np.float32)
    for at in range(frames):
        gates = fed[at] + hidden @ layer.hidden
        take, keep, new, show = np.split(gates, 4, axis=1)
        cell = _sigmoid(keep) * cell + _sigmoid(take) * np.tanh(new)
        hidden = _sigmoid(show) * np.tanh(cell)
        states[at] = hidden
    return states


def _sigmoid(values: Floats) -> Floats:
    # By way of tanh, which overflows for no argument.
    sigmoids: Floats = np.tanh(values * np.float32(0.5)) * np.float32(0.5) + np.float32(0.5)
    return sigmoids


def normalised(vectors: Floats) -> Floats:
    """Scale vectors to length 1; shape (n, 256) or (256,)."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: Floats = (vectors / np.maximum(lengths, _TINY)).astype(np.float32)
    return scaled


@functools.cache
def encoder() -> VoiceEncoder:
    """Return this process's encoder, loaded once.

    Raises:
        VoiceModelMissing: the weights are missing or changed.
    """
    return VoiceEncoder()
