"""PocketSphinx with the English model inside its package: the spare of the embedded engine.

It needs no model file of its own. It writes neither case nor punctuation, and gets about one word in five wrong on
near-field read speech (more with noise, accents or distance). Every word has a time and a probability.

Source: D. Huggins-Daines et al., "PocketSphinx: a free, real-time continuous speech recognition system
for hand-held devices", ICASSP 2006.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from speakr.connectors.transcription import noise
from speakr.connectors.transcription.base import SAMPLE_RATE, AudioChunk
from speakr.connectors.transcription.hotwords import boost
from speakr.connectors.transcription.memory_errors import is_out_of_memory
from speakr.connectors.transcription.plain_text import write_text
from speakr.domain.errors import ConnectorRejected, ConnectorUnavailable
from speakr.domain.transcript import Word

FRAMES_PER_SECOND: Final = 100

DECODER_OPTIONS: Final = {"lw": 5.5, "fwdflat": False, "maxhmmpf": 5_000, "topn": 2, "loglevel": "FATAL"}
"""Language weight 5.5 and no second (flat lexicon) pass: as right as any other setting, at 0.7 of the time. At most
5,000 states followed in a frame and two Gaussians of each mixture counted: as right again, at about two thirds of that.
The best-path pass stays on, since the word probabilities come from its lattice."""

_NOT_A_WORD = re.compile(r"^(<.*>|\[.*\]|\+\+.*\+\+)$")
_PRONUNCIATION_MARK = re.compile(r"\(\d+\)$")

Samples = npt.NDArray[np.int16]


class SphinxRecogniser:
    """Recognises each stretch of speech as one utterance.

    Utterances are never joined across a pause: cepstral means are taken over one utterance, and mixing
    voices in it costs more words than any other setting does.
    Hotwords are added to its dictionary and get a higher probability in its language model.
    """

    model = "pocketsphinx"
    max_span_seconds = float("inf")

    def __init__(self, *, denoises: bool = True) -> None:
        self._decoder: Any = None
        self._boosted: tuple[str, ...] = ()
        self._denoises = denoises

    def prepared(self, chunk: AudioChunk) -> AudioChunk:
        """Return a noisy chunk without its noise, any other as it is."""
        if self._denoises and (
            noise.signal_to_noise_db(chunk.samples, chunk.spans, chunk.start) < noise.NOISY_BELOW_DB
        ):
            return replace(chunk, samples=noise.denoise(chunk.samples))
        return chunk

    def recognise(self, samples: Samples, hotwords: Mapping[str, str]) -> list[Word]:
        """Return the words of one utterance, with times in seconds from its start.

        hotwords: in lower case, to how they are written.

        Raises:
            ConnectorUnavailable: the decoder failed, or there is not enough memory to load it.
            ConnectorRejected: PocketSphinx is not installed.
        """
        if samples.size == 0 or samples.min() == samples.max():
            return []  # out of pure silence the decoder would make up a word
        decoder = self._load(tuple(hotwords))
        try:
            # Without this the noise estimate of the last utterance affects this one, and a chunk
            # transcribed again after a crash would differ.
            decoder.reinit_feat()
            decoder.start_utt()
            decoder.process_raw(samples.tobytes(), full_utt=True)
            decoder.end_utt()
            if decoder.hyp() is None:  # then seg() must not be asked
                return []
            spoken = list(decoder.seg())
        except RuntimeError as error:
            self._decoder = None  # it may be left inside an utterance
            raise ConnectorUnavailable("The embedded recogniser failed on this recording.") from error
        return _words(spoken, samples.size / SAMPLE_RATE)

    def finished(self, words: list[Word]) -> list[Word]:
        """Return the words as they are; `text` ends the sentence."""
        return words

    def text(self, words: Sequence[Word], hotwords: Mapping[str, str]) -> str:
        """Write bare words as sentences."""
        return write_text(words, hotwords)

    def _load(self, hotwords: tuple[str, ...]) -> Any:
        """Return the decoder, made on first use and for other hotwords: it takes half a second and 115 MB."""
        if self._decoder is None or self._boosted != hotwords:
            try:
                from pocketsphinx import Decoder  # noqa: PLC0415 - the web process only reads our capabilities

                self._decoder = Decoder(**DECODER_OPTIONS)
                if hotwords:
                    boost(self._decoder, hotwords)
                self._boosted = hotwords
            except (ImportError, RuntimeError, MemoryError) as error:
                if is_out_of_memory(error):
                    raise ConnectorUnavailable(
                        "The server has too little memory for the recogniser now."
                    ) from error
                raise ConnectorRejected("The embedded recogniser is not installed completely.") from error
        return self._decoder


def _words(spoken: Sequence[Any], end: float) -> list[Word]:
    """Turn decoder segments (frames of 10 ms, `prob` already linear) into words of an utterance of `end` seconds."""
    words = []
    for token in spoken:
        if _NOT_A_WORD.match(token.word):
            continue
        words.append(
            Word(
                text=_PRONUNCIATION_MARK.sub("", token.word),
                start=min(token.start_frame / FRAMES_PER_SECOND, end),
                end=min((token.end_frame + 1) / FRAMES_PER_SECOND, end),
                probability=min(1.0, float(token.prob)),
            )
        )
    return words
