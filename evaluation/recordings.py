"""A folder of recordings with known answers.

It holds `manifest.jsonl`, one object a line: `id`, `file` (relative), `kind`, and, as the kind asks, `speaker`, `text`, `turns`
(objects of `start`, `end`, `speaker`) or `rttm` (the name of a file that holds them).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from speakr.media.base import SAMPLE_RATE

Samples = npt.NDArray[np.int16]


def entries(corpus: Path) -> Iterator[dict[str, Any]]:
    """Yield what the manifest says of each recording."""
    for line in (corpus / "manifest.jsonl").read_text().splitlines():
        if line.strip():
            yield json.loads(line)


def read_audio(path: Path) -> Samples:
    """Decode a file to int16, shape (n,), 16 kHz mono."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
    with av.open(str(path)) as container:
        frames = [
            out.to_ndarray().reshape(-1)
            for frame in container.decode(audio=0)
            for out in resampler.resample(frame)
        ]
    return np.concatenate(frames)


def turns_of(corpus: Path, entry: dict[str, Any]) -> list[tuple[float, float, str]]:
    """Return who speaks when in a recording; nothing when nobody has written it down."""
    if "turns" in entry:
        return [(turn["start"], turn["end"], turn["speaker"]) for turn in entry["turns"]]
    if "rttm" not in entry:
        return []
    lines = [line.split() for line in (corpus / entry["rttm"]).read_text().splitlines()]
    return [(float(line[3]), float(line[3]) + float(line[4]), line[7]) for line in lines if line]
