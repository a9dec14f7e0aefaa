"""all-MiniLM-L6-v2 on this machine: vectors of English texts.

The graph is made by `speakr models prepare`. It takes the tokens of one text and returns a vector of length 1.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

MAX_TOKENS: Final = 256
"""The model was trained on texts of this length; what follows is left out."""

_ERRORS_ONLY: Final = 3


class MiniLM:
    """The model, loaded: about 60 MB."""

    def __init__(self, folder: Path) -> None:
        import onnxruntime  # noqa: PLC0415 - the web process needs it for its first question only
        from tokenizers import Tokenizer  # noqa: PLC0415 - likewise

        self._tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MAX_TOKENS)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY
        options.enable_cpu_mem_arena = False  # it would keep the memory of the longest text for ever
        self._session: Any = onnxruntime.InferenceSession(
            str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )

    def vector(self, text: str) -> npt.NDArray[np.float32]:
        """Return the vector of a text, shape (384,), of length 1."""
        tokens = np.array([self._tokenizer.encode(text).ids], np.int64)
        (found,) = self._session.run(None, {"input_ids": tokens})
        vector: npt.NDArray[np.float32] = found[0]
        return vector
