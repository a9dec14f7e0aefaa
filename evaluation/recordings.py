"""A folder of recordings with known answers; `docs/evaluation.md` describes its `manifest.jsonl`."""

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
"""The project's own corpus: the sample and the clips of its tests, one minute in total."""

PAUSE_SECONDS = 0.5
"""Seconds between the parts of a composed recording."""


def entries(corpus: Path) -> Iterator[Entry]:
    """Yield the entries of the manifest."""
    for line in (corpus / "manifest.jsonl").read_text().splitlines():
        if line.strip():
            yield json.loads(line)


def samples_of(corpus: Path, entry: Entry) -> Samples:
    """Return the samples of a recording, with its parts in sequence if it has parts."""
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
    """Return the turns of a recording as (start, end, speaker); empty if the manifest has none."""
    if "turns" in entry:
        return [(turn["start"], turn["end"], turn["speaker"]) for turn in entry["turns"]]
    if "parts" in entry:
        return list(_turns_of_parts(corpus, entry))
    if "rttm" not in entry:
        return []
    lines = [line.split() for line in (corpus / entry["rttm"]).read_text().splitlines()]
    return [(float(line[3]), float(line[3]) + float(line[4]), line[7]) for line in lines if line]


def _turns_of_parts(corpus: Path, entry: Entry) -> Iterator[tuple[float, float, str]]:
    """Yield the speech in each part, as the server's own detection finds it."""
    at = 0.0
    for part in entry["parts"]:
        samples = _part(corpus, part)
        for span in find_speech(samples):
            yield at + span.start, at + span.end, part["speaker"]
        at += len(samples) / SAMPLE_RATE + PAUSE_SECONDS


def text_of(entry: Entry) -> str | None:
    """Return the text of a recording; None if the manifest has none."""
    said = entry.get("turns") or entry.get("parts") or [entry]
    return " ".join(each["text"] for each in said) if all("text" in each for each in said) else None
