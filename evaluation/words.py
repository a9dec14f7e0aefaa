"""Word error rates by kind of recording, the effect of noise, and words written where there is no speech."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from evaluation.recordings import Entry, entries, samples_of, text_of
from evaluation.report import Figure, Goal, Table, at_least, at_most
from evaluation.transcribing import Cost, transcribe_recording
from evaluation.word_errors import WordErrors, normalise, word_errors
from speakr.connectors.transcription.base import SAMPLE_RATE, AudioChunk, TranscriptionConnector
from speakr.connectors.transcription.embedded import EmbeddedConnector
from speakr.domain.transcript import Hints, Span

HUMAN = "people reading"
MEETINGS = "scripted meetings"
GOALS = {HUMAN: at_most(25), "flite voices": at_most(8), MEETINGS: at_most(12)}
"""Percent, for the embedded engine, by the names used below."""
NOISY_GOALS = {"pink 10 dB": at_most(60)}


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
    noisy: dict[str, tuple[Sum, Sum]] = {}
    silent, invented = 0, 0
    untreated = (
        EmbeddedConnector(masks_profanity=False, denoises=False) if engine.name == "embedded" else None
    )
    _load(engine)
    for entry in entries(corpus):
        text, kind = text_of(entry), kind_of(entry)
        if entry["kind"] == "no-speech":
            silent += 1
            invented += len(normalise(transcribe_recording(engine, samples_of(corpus, entry)).text))
        elif entry["kind"] == "noise-noisy" and text:
            pair = noisy.setdefault(noise_of(entry), (Sum(), Sum()))
            _add(pair[0], engine, corpus, entry, text)
            if untreated:
                _add(pair[1], untreated, corpus, entry, text)
        elif kind and text:
            _add(sums[kind], engine, corpus, entry, text)
    figures = [_figure(kind, found, GOALS.get(kind)) for kind, found in sums.items()]
    for noise, (treated, plain) in noisy.items():
        figures += _noisy_figures(noise, treated, plain)
    if silent:
        figures.append(
            Figure(
                "words written where there is no speech", invented, "", at_most(0), 0, f"{silent} recordings"
            )
        )
    return [Table(f"Words: error rates of {engine.name}", figures)]


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


def _noisy_figures(noise: str, treated: Sum, plain: Sum) -> list[Figure]:
    figures = [_figure(f"with noise ({noise})", treated, NOISY_GOALS.get(noise))]
    if plain.recordings:
        figures.append(_figure(f"with noise ({noise}), noise left in", plain, None))
        figures.append(
            Figure(
                f"gained by taking noise out ({noise})",
                plain.errors.rate - treated.errors.rate,
                " points",
                at_least(0.1),
            )
        )
    return figures
