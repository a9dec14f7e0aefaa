"""Lay out the multilingual Universal Sentence Encoder so that a process can map its table instead of reading it.

    sentence_encoder.py SOURCES OUT

The package holds the table of word pieces in 17 interleaved blocks, compressed. Here it becomes one file without
compression: processes share its pages, and only the rows of words in use are read. Nothing is computed.

Runs alone, with numpy.

Source: Y. Yang et al., "Multilingual Universal Sentence Encoder for Semantic Retrieval", 2019.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np

BLOCKS = 17


def main(sources: Path, out: Path) -> None:
    """Write table.npy, weights.npz and pieces.model."""
    with np.load(sources / "weights.npz", allow_pickle=False) as stored:
        blocks = [stored[f"q{number + 1}"] for number in range(BLOCKS)]
        others = {name: stored[name] for name in sorted(stored.files) if not name.startswith("q")}
    table = np.empty((BLOCKS * len(blocks[0]), blocks[0].shape[1]), np.uint8)
    for number, block in enumerate(blocks):
        table[number::BLOCKS] = block
    np.save(out / "table.npy", table)
    np.savez(out / "weights.npz", **others)
    shutil.copyfile(sources / "sp.model", out / "pieces.model")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
