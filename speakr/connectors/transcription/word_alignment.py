"""Times of known words: PocketSphinx aligns them with the audio (forced alignment).

It finds the beginning of a word within 10 to 20 ms, better than any model here that also has to find the word.
Without its language model it takes 40 MB and a tenth of the time of recognition.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import structlog

from speakr.connectors.transcription.pronunciation import Pronouncer, PronunciationsMissing
from speakr.connectors.transcription.spoken_forms import spoken
from speakr.domain.transcript import Word

logger = structlog.get_logger(__name__)

FRAMES_PER_SECOND: Final = 100
MAX_MEDIAN_SHIFT_SECONDS: Final = 0.4
"""An alignment that moves half of the words by more is wrong: something else was said."""

_OPTIONS: Final = {"lm": None, "loglevel": "FATAL", "bestpath": False, "topn": 2}

Samples = npt.NDArray[np.int16]


class Aligner:
    """The decoder, loaded on first use. It keeps pronunciations between utterances, and nothing else."""

    def __init__(self) -> None:
        self._decoder: Any = None

    def align(self, samples: Samples, words: Sequence[Word]) -> list[Word]:
        """Return the words with their times in the audio, or as they are if they cannot be aligned.

        samples: 16 kHz. Times are in seconds from the first sample.
        """
        parts = [spoken(word.text) for word in words]
        said = [part for each in parts for part in each]
        if not said:
            return list(words)
        try:
            decoder = self._load()
            found = _spans(decoder, samples, said) if self._know(decoder, set(said)) else None
        except RuntimeError:
            self._decoder = None  # it may be left inside an utterance
            found = None
        if found is None:
            logger.debug("words_not_aligned", words=len(words))
            return list(words)
        aligned = _with_times(words, parts, found)
        shifts = [abs(new.start - old.start) for new, old in zip(aligned, words, strict=True)]
        return aligned if float(np.median(shifts)) <= MAX_MEDIAN_SHIFT_SECONDS else list(words)

    def _load(self) -> Any:
        if self._decoder is None:
            try:
                from pocketsphinx import Decoder  # noqa: PLC0415 - 40 MB
            except ImportError:
                raise RuntimeError from None
            self._decoder = Decoder(**_OPTIONS)
        return self._decoder

    def _know(self, decoder: Any, words: set[str]) -> bool:
        """Add pronunciations of words that the dictionary lacks; return whether it has all of them now."""
        for word in sorted(words):
            if decoder.lookup_word(word) is None:
                phones = _pronounced(word)
                if not phones:
                    return False
                decoder.add_word(word, phones, update=False)
        return True


@functools.cache
def _pronouncer() -> Pronouncer | None:
    try:
        return Pronouncer()
    except PronunciationsMissing:
        logger.warning("word_pronunciations_missing", help="requirements-models.txt brings them")
        return None


@functools.lru_cache(maxsize=4096)
def _pronounced(word: str) -> str:
    pronouncer = _pronouncer()
    return pronouncer.pronounce(word) if pronouncer else ""


def _spans(decoder: Any, samples: Samples, words: Sequence[str]) -> list[tuple[float, float]] | None:
    """Return start and end of each word in seconds, or None if they do not fit the audio."""
    decoder.set_align_text(" ".join(words))
    # Otherwise the noise estimate of the last utterance would affect this one.
    decoder.reinit_feat()
    decoder.start_utt()
    decoder.process_raw(samples.tobytes(), full_utt=True)
    decoder.end_utt()
    if decoder.hyp() is None:  # then seg() must not be asked
        return None
    found = [
        (token.start_frame / FRAMES_PER_SECOND, (token.end_frame + 1) / FRAMES_PER_SECOND)
        for token in decoder.seg()
        if not token.word.startswith(("<", "[", "(", "++"))
    ]
    return found if len(found) == len(words) else None


def _with_times(
    words: Sequence[Word], parts: Sequence[Sequence[str]], found: Sequence[tuple[float, float]]
) -> list[Word]:
    """Return the words with the times of their parts; one that is not spoken begins and ends where the last one ended."""
    return list(_timed(words, parts, iter(found)))


def _timed(
    words: Sequence[Word], parts: Sequence[Sequence[str]], found: Iterator[tuple[float, float]]
) -> Iterator[Word]:
    end = 0.0
    for word, spoken_parts in zip(words, parts, strict=True):
        spans = [next(found) for _ in spoken_parts]
        start, end = (spans[0][0], spans[-1][1]) if spans else (end, end)
        yield replace(word, start=start, end=end)
