"""Accuracy of word times: the error of the starts and ends of words.

A manifest may give `words` with `start` and `end` (a forced alignment, or manual annotations). Without them the text of
a clip is aligned to its audio with PocketSphinx. This reference is not independent: it knows the words, but shares its
acoustic model with the embedded engine. So it measures the loss of precision by finding the words, not by the model.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evaluation.recordings import Entry, Samples, entries, samples_of, text_of
from evaluation.report import Figure, Table, at_most
from evaluation.transcribing import transcribe_recording
from evaluation.word_errors import align, normalise
from speakr.connectors.transcription.base import TranscriptionConnector
from speakr.connectors.transcription.sphinx import DECODER_OPTIONS, FRAMES_PER_SECOND
from speakr.domain.transcript import Word

GOAL_SECONDS = 0.030
_SPELLED = {"mister": "mr"}
"""Words that the engine's dictionary has only in another spelling are left out of the reference."""


@dataclass
class Differences:
    """Errors in seconds between real and found times of words."""

    starts: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)

    def add(self, reference: Sequence[Word], recognized: Sequence[Word]) -> None:
        """Compare the times of correct words."""
        said, found = ([_bare(word) for word in words] for words in (reference, recognized))
        for mine, theirs in align(said, found).pairs:
            if mine is not None and theirs is not None and said[mine] == found[theirs]:
                self.starts.append(abs(reference[mine].start - recognized[theirs].start))
                self.ends.append(abs(reference[mine].end - recognized[theirs].end))


def _bare(word: Word) -> str:
    return "".join(normalise(word.text))


def measure(corpus: Path, engine: TranscriptionConnector) -> list[Table]:
    """Compare the times of words with the manifest's, or else with an alignment."""
    aligner = Aligner()
    found = {"the manifest's": Differences(), "PocketSphinx's alignment": Differences()}
    for entry in entries(corpus):
        if entry["kind"] != "asr" or not (text := text_of(entry)):
            continue
        samples = samples_of(corpus, entry)
        if "words" in entry:
            name, reference = "the manifest's", list(_written(entry))
        else:
            name, reference = "PocketSphinx's alignment", aligner.align(samples, text)
        if reference:
            found[name].add(reference, transcribe_recording(engine, samples).words)
    figures = [figure for name, differences in found.items() for figure in _figures(name, differences)]
    return [Table("Word times", figures)]


def _written(entry: Entry) -> Iterator[Word]:
    for word in entry["words"]:
        yield Word(word["text"], word["start"], word["end"])


def _figures(name: str, found: Differences) -> Iterator[Figure]:
    if not found.starts:
        return
    note = f"{len(found.starts)} correct words, compared with {name}"
    for what, seconds in (("beginnings", found.starts), ("ends", found.ends)):
        goal = at_most(1000 * GOAL_SECONDS) if what == "beginnings" else None
        yield Figure(f"{what}, median error", 1000 * statistics.median(seconds), " ms", goal, 0, note)
        late = sorted(seconds)[int(0.95 * (len(seconds) - 1))]
        yield Figure(f"{what}, 95th percentile", 1000 * late, " ms", None, 0, note)


class Aligner:
    """Aligns the words of a known text with its audio."""

    def __init__(self) -> None:
        self._decoder: Any = None

    def align(self, samples: Samples, text: str) -> list[Word]:
        """Return the words with their times; none where a word has no known pronunciation or nothing fits."""
        # Imported late, as the engine does: other engines do not need it.
        from pocketsphinx import Decoder  # noqa: PLC0415

        self._decoder = self._decoder or Decoder(**DECODER_OPTIONS)
        words = [_SPELLED.get(word, word) for word in normalise(text)]
        if any(self._decoder.lookup_word(word) is None for word in words):
            return []
        try:
            self._decoder.set_align_text(" ".join(words))
            self._decoder.reinit_feat()
            self._decoder.start_utt()
            self._decoder.process_raw(samples.tobytes(), full_utt=True)
            self._decoder.end_utt()
            spoken = list(self._decoder.seg()) if self._decoder.hyp() else []
        except RuntimeError:
            return []
        return [
            Word(
                token.word.partition("(")[0],
                token.start_frame / FRAMES_PER_SECOND,
                (token.end_frame + 1) / FRAMES_PER_SECOND,
            )
            for token in spoken
            if not token.word.startswith(("<", "[", "("))
        ]
