"""Moonshine's words with PocketSphinx's times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from speakr.connectors.transcription.base import AudioChunk
from speakr.connectors.transcription.hotwords import spelled
from speakr.connectors.transcription.moonshine import MAX_SECONDS, Moonshine
from speakr.connectors.transcription.word_alignment import Aligner
from speakr.domain.errors import ConnectorUnavailable
from speakr.domain.transcript import Word
from speakr.model_files.catalogue import MOONSHINE

_FULL_SCALE: Final = 32768.0
_SENTENCE_ENDS: Final = (".", "?", "!", "…", '"', "”")

Samples = npt.NDArray[np.int16]


class MoonshineRecogniser:
    """Recognises each stretch of speech as one utterance. Case, punctuation and digits are the model's."""

    model = MOONSHINE.name
    max_span_seconds = MAX_SECONDS

    def __init__(self, folder: Path) -> None:
        """Load the model and run it once. Raises whatever the runtime raises if it cannot."""
        self._model = Moonshine(folder)
        self._aligner = Aligner()

    def prepared(self, chunk: AudioChunk) -> AudioChunk:
        """Return the chunk as it is: removing noise makes this model worse."""
        return chunk

    def recognise(self, samples: Samples, hotwords: Mapping[str, str]) -> list[Word]:
        """Return the words of one utterance, with times in seconds from its start.

        hotwords: in lower case without accents, to how they are written. The model may write them with or without.

        Raises:
            ConnectorUnavailable: the runtime failed, as it does without memory.
        """
        if samples.size == 0 or samples.min() == samples.max():
            return []
        forms = tuple(dict.fromkeys([*hotwords.values(), *hotwords]))
        try:
            words = self._model.words(samples.astype(np.float32) / _FULL_SCALE, forms)
        except Exception as error:  # the runtime's own errors have no common class but this one
            raise ConnectorUnavailable("The embedded recogniser failed on this recording.") from error
        return [_spelled(word, hotwords) for word in self._aligner.align(samples, words)]

    def finished(self, words: list[Word]) -> list[Word]:
        """Return the words with the last one ending a sentence.

        The model does not know what follows the pause, and the next utterance begins with a capital.
        """
        if not words or words[-1].text.endswith(_SENTENCE_ENDS):
            return words
        return [*words[:-1], replace(words[-1], text=words[-1].text.rstrip(",;:-–—") + ".")]  # noqa: RUF001 - dashes

    def text(self, words: Sequence[Word], hotwords: Mapping[str, str]) -> str:  # noqa: ARG002 - they are spelled already
        """Join the words."""
        return " ".join(word.text for word in words)


def _spelled(word: Word, hotwords: Mapping[str, str]) -> Word:
    """Write a hotword as the user does, with the punctuation around it."""
    written = spelled(word.text, hotwords)
    return word if written is None else replace(word, text=written)
