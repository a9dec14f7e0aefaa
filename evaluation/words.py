"""Word error rates by kind of recording, with and without noise, and words written where there is no speech."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from evaluation.recordings import Entry, entries, samples_of, text_of
from evaluation.report import Figure, Goal, Table, at_most
from evaluation.transcribing import Cost, transcribe_recording
from evaluation.word_errors import WordErrors, normalise, word_errors
from speakr.connectors.transcription.base import SAMPLE_RATE, AudioChunk, TranscriptionConnector
from speakr.domain.transcript import Hints, Span

HUMAN = "people reading"
MEETINGS = "scripted meetings"
GOALS = {HUMAN: at_most(6), "flite voices": at_most(3), "espeak voices": at_most(4), MEETINGS: at_most(4)}
"""Percent, for the embedded engine, by the names used below."""
NOISY_GOALS = {"pink 10 dB": at_most(6), "hum 10 dB": at_most(6)}


@dataclass
class Sum:
    """Errors and cost of one kind of recording."""

    errors: WordErrors = field(default_factory=WordErrors)
    cost: Cost = field(default_factory=Cost)
    recordings: int = 0


def kind_of(entry: Entry) -> str | None:
    """Return the kind under which a recording counts; None if it does not count here."""
    match entry["kind"]:
        case "asr" if entry.get("human"):
            return HUMAN
        case "asr":
            source = re.match(r"[A-Za-z]+", str(entry.get("source", "")))
            return f"{source[0].lower() if source else 'synthetic'} voices"
        case "diarization+asr":
            return MEETINGS
        case "noise-clean":
            return "noise pairs, before noise"
    return None


def noise_of(entry: Entry) -> str:
    """Return the name of a recording's noise."""
    return f"{entry.get('noise', 'noise')} {entry['snr_db']} dB" if "snr_db" in entry else "noise"


def measure(corpus: Path, engine: TranscriptionConnector) -> list[Table]:
    """Transcribe all recordings with a text, and those without speech."""
    sums: dict[str, Sum] = defaultdict(Sum)
    noisy: dict[str, Sum] = defaultdict(Sum)
    silent, invented = 0, 0
    _load(engine)
    for entry in entries(corpus):
        text, kind = text_of(entry), kind_of(entry)
        if entry["kind"] == "no-speech":
            silent += 1
            invented += len(normalise(transcribe_recording(engine, samples_of(corpus, entry)).text))
        elif entry["kind"] == "noise-noisy" and text:
            _add(noisy[noise_of(entry)], engine, corpus, entry, text)
        elif kind and text:
            _add(sums[kind], engine, corpus, entry, text)
    figures = [_figure(kind, found, GOALS.get(kind)) for kind, found in sums.items()]
    figures += [
        _figure(f"with noise ({noise})", found, NOISY_GOALS.get(noise)) for noise, found in noisy.items()
    ]
    if silent:
        figures.append(
            Figure(
                "words written where there is no speech", invented, "", at_most(0), 0, f"{silent} recordings"
            )
        )
    return [Table("Words: error rates", figures)]


def _load(engine: TranscriptionConnector) -> None:
    """Let an engine load its model; this time is constant and does not count."""
    ramp = np.arange(SAMPLE_RATE, dtype=np.int16)
    engine.transcribe(AudioChunk(ramp, 0.0, (Span(0.0, 1.0),)), Hints(), lambda _: None)


def _add(found: Sum, engine: TranscriptionConnector, corpus: Path, entry: Entry, text: str) -> None:
    recognized = transcribe_recording(engine, samples_of(corpus, entry))
    found.errors += word_errors(text, recognized.text)
    found.cost += recognized.cost
    found.recordings += 1


def _figure(name: str, found: Sum, goal: Goal | None) -> Figure:
    note = f"{found.errors.words} words in {found.recordings} recordings; RTF {found.cost.words_factor:.3f}"
    if found.cost.waited > 2 * found.cost.words:  # the engine runs elsewhere
        note += f", {found.cost.waited / found.cost.audio:.3f} waited"
    return Figure(f"WER, {name}", found.errors.rate, " %", goal, note=note)
