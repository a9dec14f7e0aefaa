"""Detect speech with the Silero voice activity model.

The model takes 32 ms at a time (preceded by the last 4 ms) and keeps its state in two vectors. It runs in blocks, and
the state carries over from one to the next. Ten hours therefore take no more memory than one minute, and the size of a
block does not change the result.

Source: Silero Team, "Silero VAD", version 6.2; the package is used for its model file and never imported.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import onnxruntime

from speakr.domain.errors import MediaToolFailed, PermanentJobError
from speakr.domain.transcript import Span
from speakr.media.base import SAMPLE_RATE
from speakr.media.spans import spans_of_speech

FRAME_SAMPLES: Final = 512
CONTEXT_SAMPLES: Final = 64
MEMORY_SHAPE: Final = (1, 1, 128)
BLOCK_FRAMES: Final = 512
"""16 seconds per call of the model; larger blocks take more memory and no less time."""

MODEL_FILE = "silero_vad_16k_sequence.onnx"
MODEL_SHA256 = "9ccdacc4719d8aa7e45a77536bfabec45a03ba1f2fad5e241ab4060b24238a85"

_NOT_INSTALLED = "The model that finds speech is not installed; requirements-models.txt brings it."
_ANOTHER = (
    "The model that finds speech is not the one this version was made for; requirements-models.txt brings it."
)

_ERRORS_ONLY = 3

Samples = npt.NDArray[np.int16]
Probabilities = npt.NDArray[np.float32]


class SpeechModelMissing(PermanentJobError):
    """The model is not installed, or is not the one whose thresholds these are."""

    code = "speech_model_missing"


def locate_model() -> Path:
    """Return where the installed package keeps the model, without importing it.

    Raises:
        SpeechModelMissing: the package is not installed.
    """
    package = importlib.util.find_spec("silero_vad")
    if package is None or not package.submodule_search_locations:
        raise SpeechModelMissing(_NOT_INSTALLED)
    return Path(package.submodule_search_locations[0]) / "data" / MODEL_FILE


class SpeechFinder:
    """The model, loaded. One at a time may use it; it keeps nothing between recordings."""

    def __init__(self, model: Path | None = None, *, block_frames: int = BLOCK_FRAMES) -> None:
        """Load the model after checking its hash.

        Raises:
            SpeechModelMissing: it is not there, or is another.
        """
        try:
            weights = (model or locate_model()).read_bytes()
        except OSError:
            raise SpeechModelMissing(_NOT_INSTALLED) from None
        if hashlib.sha256(weights).hexdigest() != MODEL_SHA256:
            raise SpeechModelMissing(_ANOTHER)
        options = onnxruntime.SessionOptions()
        # The cores belong to the other workers, and the model is too small to share among threads.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY
        self._session = onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
        self._block_frames = block_frames

    def find(self, samples: Samples) -> list[Span]:
        """Return where there is speech, in order, in seconds. samples: shape (n,), 16 kHz mono."""
        return spans_of_speech(self.probabilities(samples), duration=len(samples) / SAMPLE_RATE)

    def probabilities(self, samples: Samples) -> Probabilities:
        """Return the probability of speech in each 32 ms, shape (ceil(n / 512),)."""
        hidden = cell = np.zeros(MEMORY_SHAPE, np.float32)
        blocks = [np.zeros(0, np.float32)]
        for block in _blocks(samples, self._block_frames):
            values, hidden, cell = self._session.run(
                ["speech_probs", "hn", "cn"], {"input": block, "h": hidden, "c": cell}
            )
            blocks.append(values.reshape(-1))
        return np.concatenate(blocks)


def _blocks(samples: Samples, block_frames: int) -> Iterator[Probabilities]:
    """Yield frames as the model wants them: shape (frames, 64 + 512), full scale 1, zeros around the ends."""
    length = block_frames * FRAME_SAMPLES
    context = np.zeros(CONTEXT_SAMPLES, np.float32)
    for start in range(0, len(samples), length):
        cut = samples[start : start + length]
        frames = -(-len(cut) // FRAME_SAMPLES)
        line = np.zeros(CONTEXT_SAMPLES + frames * FRAME_SAMPLES, np.float32)
        line[:CONTEXT_SAMPLES] = context
        np.divide(cut, np.float32(32768), out=line[CONTEXT_SAMPLES : CONTEXT_SAMPLES + len(cut)])
        context = line[-CONTEXT_SAMPLES:].copy()
        yield np.lib.stride_tricks.sliding_window_view(line, CONTEXT_SAMPLES + FRAME_SAMPLES)[::FRAME_SAMPLES]
        _let_go(samples)


def _let_go(samples: Samples) -> None:
    """Drop the read pages of a mapped file, which would count as memory of this process."""
    base: object = samples.base
    if isinstance(base, mmap.mmap):
        base.madvise(mmap.MADV_DONTNEED)


@functools.cache
def _finder() -> SpeechFinder:
    return SpeechFinder()


def find_speech(samples: Samples) -> list[Span]:
    """Return where there is speech, in order, in seconds. The model is loaded once in a process.

    samples: shape (n,), 16 kHz mono; a memory map is read block by block.

    Raises:
        SpeechModelMissing: the model is missing or changed.
    """
    return _finder().find(samples)


def read_pcm(path: Path) -> np.memmap[tuple[int], np.dtype[np.int16]]:
    """Map decoded audio, shape (n,), read-only.

    Raises:
        MediaToolFailed: the file is empty or torn, which decoding never leaves behind.
    """
    try:
        return np.memmap(path, dtype="<i2", mode="r")
    except ValueError:
        raise MediaToolFailed("The decoded audio of this recording is damaged.") from None
