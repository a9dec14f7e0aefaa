"""A dialogue of a LibriVox volunteer and a synthetic voice, assembled from bundled clips."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest

from speakr.domain.transcript import Span
from speakr.media.base import SAMPLE_RATE
from speakr.media.speech import find_speech
from speakr.media.voices.networks import load
from speakr.media.voices.windows import Windows, embed_spans
from speakr.model_files.store import shared_folder

DATA = Path(__file__).parents[1] / "media" / "data"
CLIPS = Path(__file__).parents[1] / "connectors" / "data"
"""Origins and licences stand beside the clips."""


def read_clip(path: Path) -> np.ndarray:
    """Decode a clip: int16, 16 kHz mono."""
    with av.open(str(path)) as container:
        return np.concatenate([frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)])


@dataclass(frozen=True)
class Talk:
    """Samples, spans of speech, and turns (start, end, name)."""

    samples: np.ndarray
    spans: list[Span]
    turns: list[tuple[float, float, str]]
    windows: Windows


def talk(*parts: tuple[str, str]) -> Talk:
    """Play clips one after the other, half a second apart."""
    samples, turns, at = [], [], 0
    for who, name in parts:
        clip = read_clip(CLIPS / name)
        samples += [clip, np.zeros(SAMPLE_RATE // 2, np.int16)]
        turns += [
            ((at / SAMPLE_RATE) + span.start, (at / SAMPLE_RATE) + span.end, who)
            for span in find_speech(clip)
        ]
        at += len(clip) + SAMPLE_RATE // 2
    joined = np.concatenate(samples)
    spans = find_speech(joined)
    return Talk(joined, spans, turns, embed_spans(joined, 0.0, spans, 0.8, load(shared_folder())))


@pytest.fixture(scope="session")
def dialogue() -> Talk:
    return talk(
        ("reader", "librivox_0880.flac"),
        ("machine", "flite_slt_01.flac"),
        ("reader", "librivox_0870.flac"),
        ("machine", "flite_slt_01.flac"),
        ("reader", "librivox_0880.flac"),
    )


@pytest.fixture(scope="session")
def monologue() -> Talk:
    return talk(("reader", "librivox_0870.flac"), ("reader", "librivox_0880.flac"))
