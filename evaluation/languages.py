"""Languages: the word error rate of recordings in other languages than English, and whether the language was found.

Nothing is said of the language beforehand. Recordings of kind `language` count; `python -m evaluation.prompts` makes
some of voice prompts.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from evaluation.recordings import entries, samples_of, text_of
from evaluation.report import Figure, Table, at_least, at_most
from evaluation.transcribing import transcribe_recording
from evaluation.word_errors import WordErrors, word_errors
from speakr.connectors.transcription.base import TranscriptionConnector
from speakr.media.speech import find_speech

KIND = "language"
GOAL_ERRORS = at_most(15)
"""Percent, over all languages."""
GOAL_DETECTED = at_least(95)
GOAL_CPU_SECONDS = at_most(0.17)


@dataclass
class Sum:
    """Errors, recognised languages and cost of recordings; they add up."""

    errors: WordErrors = field(default_factory=WordErrors)
    recordings: int = 0
    detected: int = 0
    cpu_seconds: float = 0.0
    speech_seconds: float = 0.0


def measure(corpus: Path, engine: TranscriptionConnector) -> list[Table]:
    """Transcribe all recordings in other languages."""
    title = "Languages"
    if engine.capabilities.languages is not None:
        return [Table(title, absent="This engine is for some languages only.")]
    sums: dict[str, Sum] = defaultdict(Sum)
    for entry in entries(corpus):
        text = text_of(entry) if entry["kind"] == KIND else None
        if text is None:
            continue
        samples, language = samples_of(corpus, entry), entry["language"]
        speech = sum(span.duration for span in find_speech(samples))
        began = time.process_time()
        transcript = transcribe_recording(engine, samples)
        for found in (sums[language], sums[""]):
            found.cpu_seconds += time.process_time() - began
            found.errors += word_errors(text, transcript.text, language)
            found.detected += transcript.language == language
            found.recordings += 1
            found.speech_seconds += speech
    return [Table(title, _figures(dict(sums)))]


def _figures(sums: dict[str, Sum]) -> list[Figure]:
    whole = sums.pop("", None)
    if whole is None:
        return []
    note = f"{whole.errors.words} words in {whole.recordings} recordings"
    return [
        Figure("WER, all languages", whole.errors.rate, " %", GOAL_ERRORS, note=note),
        *(
            Figure(f"WER, {language}", found.errors.rate, " %", note=f"{found.errors.words} words")
            for language, found in sorted(sums.items())
        ),
        Figure("language found", 100 * whole.detected / whole.recordings, " %", GOAL_DETECTED, note=note),
        Figure(
            "CPU seconds for a second of speech",
            whole.cpu_seconds / whole.speech_seconds,
            "",
            GOAL_CPU_SECONDS,
            3,
            f"{whole.speech_seconds / 60:.1f} minutes of speech, loading included",
        ),
    ]
