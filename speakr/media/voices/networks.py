"""The two neural networks of diarization in ONNX Runtime, each on one thread.

Sources: A. Plaquet, H. Bredin, "Powerset multi-class cross entropy loss for neural speaker diarization" (2023);
H. Wang et al., "CAM++: A Fast and Efficient Network for Speaker Verification Using Context-Aware Masking" (2023).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import onnxruntime

from speakr.media.voices.vectors import DIMENSIONS, normalised
from speakr.media.voices.weights import VoiceModelMissing, locate_models

_CONTEXT_FRAMES: Final = 100
_BATCH: Final = 4
"""Windows per call; more take more memory and no less time."""
_ERRORS_ONLY: Final = 3

Floats = npt.NDArray[np.float32]


class VoiceNetworks:
    """Both networks, loaded."""

    def __init__(self, folder: Path) -> None:
        """Load the networks from the folder of their model.

        Raises:
            VoiceModelMissing: a file cannot be loaded.
        """
        self._segmentation = _session(folder / "segmentation.onnx")
        self._embedding = _session(folder / "embedding.onnx")

    def segment(self, samples: Floats) -> Floats:
        """Return the log probabilities of no speaker, A, B, C, A and B, A and C, B and C.

        samples: shape (windows, n), full scale 1, 16 kHz; the result has the shape (windows, frames, 7).
        """
        parts = [
            self._segmentation.run(["classes"], {"samples": samples[first : first + _BATCH, None]})[0]
            for first in range(0, len(samples), _BATCH)
        ]
        return np.concatenate(parts)

    def embed(self, features: Sequence[Floats]) -> Floats:
        """Return a voice vector for each window, shape (n, 192).

        features: logarithmic mel spectrograms, each of the same shape (frames, 80).
        """
        vectors = [np.zeros((0, DIMENSIONS), np.float32)]
        for first in range(0, len(features), _BATCH):
            # The mean of each band carries the microphone and the level, not the voice.
            batch = np.stack([each - each.mean(axis=0) for each in features[first : first + _BATCH]])
            contexts = np.arange((batch.shape[1] + 1) // 2) // _CONTEXT_FRAMES
            vectors.append(self._embedding.run(["vectors"], {"features": batch, "contexts": contexts})[0])
        return normalised(np.concatenate(vectors))


def _session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    # The cores belong to the other workers.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime has many classes of errors for a file that it cannot load
        raise VoiceModelMissing(f"The model {path.name} cannot be loaded.") from error


@functools.cache
def load(root: Path) -> VoiceNetworks:
    """Return this process's networks, loaded once. root: the folder of all models.

    Raises:
        VoiceModelMissing: the models are missing or changed.
    """
    return VoiceNetworks(locate_models(root))
