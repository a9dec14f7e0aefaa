"""Measure the embedded recogniser: word errors and real-time factor on one core.

python -m benchmarks.transcription --corpus FOLDER [--limit N] [--verbose]

FOLDER has `manifest.jsonl`, one object a line: `file` (relative), `text` (the reference), `kind` ("asr"), `human`
(false for synthesis) and, for synthesis, `source`. Words are scored in lower case, letters and apostrophes only, "mr"
as "mister". Time is CPU time of this process, with numpy on one thread.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy is imported
os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.recordings import Samples, read_audio
from evaluation.word_errors import align, normalise
from speakr.connectors.transcription.base import SAMPLE_RATE, AudioChunk
from speakr.connectors.transcription.embedded import EmbeddedConnector
from speakr.domain.transcript import Hints, Span

FindSpeech = Callable[[Samples], Sequence[Span]]

GOAL_REAL_TIME_FACTOR = 0.25


@dataclass
class Score:
    """Sums over one group of clips."""

    clips: int = 0
    words: int = 0
    errors: int = 0
    audio_seconds: float = 0.0
    cpu_seconds: float = 0.0

    def __str__(self) -> str:
        return (
            f"{self.clips:3} clips {self.audio_seconds:7.1f} s  {self.words:4} words  "
            f"WER {100 * self.errors / self.words:5.1f} %  RTF {self.cpu_seconds / self.audio_seconds:.3f}"
        )


def whole_clip(samples: Samples) -> Sequence[Span]:
    """Return the whole clip as one span of speech."""
    return [Span(0.0, samples.size / SAMPLE_RATE)]


def speech_finder() -> tuple[str, FindSpeech]:
    """Return the server's own voice activity detection, or whole clips where its model is not installed."""
    try:
        from speakr.media.speech import find_speech
    except ImportError:
        return "whole clips", whole_clip
    return "speakr.media.speech", find_speech


def clips(corpus: Path) -> Iterator[dict[str, Any]]:
    for line in (corpus / "manifest.jsonl").read_text().splitlines():
        clip = json.loads(line)
        if clip["kind"] == "asr":
            yield clip


def group_of(clip: dict[str, Any]) -> str:
    return "human" if clip["human"] else str(clip.get("source", "synthesis")).split()[0]


def main() -> int:
    parser = argparse.ArgumentParser(description="Word errors and speed of the embedded recogniser.")
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=None, help="only the first N clips")
    parser.add_argument("--verbose", action="store_true", help="print the transcripts")
    options = parser.parse_args()

    finder_name, find_speech = speech_finder()
    connector = EmbeddedConnector()
    connector.transcribe(  # loads the decoder, whose time does not count
        AudioChunk(np.arange(SAMPLE_RATE, dtype=np.int16), 0.0, [Span(0.0, 1.0)]), Hints(), lambda _: None
    )
    scores: dict[str, Score] = {}
    for clip in list(clips(options.corpus))[: options.limit]:
        samples = read_audio(options.corpus / clip["file"])
        spans = find_speech(samples)
        started = time.process_time()
        hypothesis = connector.transcribe(AudioChunk(samples, 0.0, spans), Hints(), lambda _: None)
        seconds = time.process_time() - started
        hypothesis_words = normalise(
            " ".join(word.text for segment in hypothesis.segments for word in segment.words)
        )
        reference = normalise(clip["text"])
        for name in (group_of(clip), "all"):
            score = scores.setdefault(name, Score())
            score.clips += 1
            score.words += len(reference)
            score.errors += align(reference, hypothesis_words).errors.total
            score.audio_seconds += samples.size / SAMPLE_RATE
            score.cpu_seconds += seconds
        if options.verbose:
            print(f"{clip['id']}\n  said   {' '.join(reference)}\n  found  {' '.join(hypothesis_words)}")

    print(f"speech found by: {finder_name}")
    for name in sorted(scores):
        print(f"{name:10} {scores[name]}")
    human = scores.get("human")
    if human is None:
        return 0
    is_met = human.cpu_seconds / human.audio_seconds <= GOAL_REAL_TIME_FACTOR
    print(f"goal for read speech, RTF <= {GOAL_REAL_TIME_FACTOR}: {'met' if is_met else 'missed'}")
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
