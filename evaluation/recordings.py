"""A folder of recordings with known answers; `docs/evaluation.md` says what its `manifest.jsonl` holds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from speakr.media.base import SAMPLE_RATE
from speakr.media.speech import find_speech

Samples = npt.NDArray[np.int16]
Entry = dict[str, Any]

OWN = Path(__file__).parent / "corpus"
"""The corpus the project brings along: the sample and the clips of its tests, a minute altogether."""

PAUSE_SECONDS = 0.5
"""Between the parts of a recording that is put together."""


def entries(corpus: Path) -> Iterator[Entry]:
    """Yield what the manifest says of each recording."""
    for line in (corpus / "manifest.jsonl").read_text().splitlines():
        if line.strip():
            yield json.loads(line)


def samples_of(corpus: Path, entry: Entry) -> Samples:
    """Return the sound of a recording, its parts one after the other if it has parts."""
    if "parts" not in entry:
        return read_audio(corpus / entry["file"])
    pause = np.zeros(round(PAUSE_SECONDS * SAMPLE_RATE), np.int16)
    return np.concatenate([piece for part in entry["parts"] for piece in (_part(corpus, part), pause)])


def _part(corpus: Path, part: Entry) -> Samples:
    return read_audio(corpus / part["file"])


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


def turns_of(corpus: Path, entry: Entry) -> list[tuple[float, float, str]]:
    """Return who speaks when in a recording; nothing when nobody has written it down."""
    if "turns" in entry:
        return [(turn["start"], turn["end"], turn["speaker"]) for turn in entry["turns"]]
    if "parts" in entry:
        return list(_turns_of_parts(corpus, entry))
    if "rttm" not in entry:
        return []
    lines = [line.split() for line in (corpus / entry["rttm"]).read_text().splitlines()]
    return [(float(line[3]), float(line[3]) + float(line[4]), line[7]) for line in lines if line]


def _turns_of_parts(corpus: Path, entry: Entry) -> Iterator[tuple[float, float, str]]:
    """Yield where there is speech in each part: nobody has said it better than our own ear."""
    at = 0.0
    for part in entry["parts"]:
        samples = _part(corpus, part)
        for span in find_speech(samples):
            yield at + span.start, at + span.end, part["speaker"]
        at += len(samples) / SAMPLE_RATE + PAUSE_SECONDS


def text_of(entry: Entry) -> str | None:
    """Return what is said in a recording; None when nobody has written it down."""
    said = entry.get("turns") or entry.get("parts") or [entry]
    return " ".join(each["text"] for each in said) if all("text" in each for each in said) else None
