"""The engine that is always there: PocketSphinx with the English model inside its package.

It needs no network, no key and no download. It understands English only, writes neither case nor punctuation,
and gets about one word in five wrong on near-field read speech (more with noise, accents or distance).
Every word has a time and a probability, so all later steps work on what it gives.

Source: D. Huggins-Daines et al., "PocketSphinx: a free, real-time continuous speech recognition system
for hand-held devices", ICASSP 2006.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, ClassVar, Self

from speakr.connectors.transcription.base import (
    SAMPLE_RATE,
    SECTION,
    About,
    AudioChunk,
    Capabilities,
    OnSegment,
)
from speakr.connectors.transcription.hotwords import boost, read_hotwords
from speakr.connectors.transcription.plain_text import write_text
from speakr.connectors.transcription.profanity import mask
from speakr.connectors.transcription.words import mean_probability
from speakr.domain.errors import ConnectorRejected, ConnectorUnavailable
from speakr.domain.seams import RecognizedWord, repair
from speakr.domain.transcript import Hints, Hypothesis, Segment, Span, Word
from speakr.environment import setting
from speakr.settings import Settings

FRAMES_PER_SECOND = 100

DECODER_OPTIONS = {"lw": 5.5, "fwdflat": False, "maxhmmpf": 5_000, "topn": 2, "loglevel": "FATAL"}
"""Language weight 5.5 and no second (flat lexicon) pass: as right as any other setting, at 0.7 of the time. At most
5,000 states followed in a frame and two Gaussians of each mixture counted: as right again, at about two thirds of that.
The best-path pass stays on, since the word probabilities come from its lattice."""

OVERLAP_SECONDS = 2.0
"""Seconds that neighbours overlap where speech is too long to be one utterance."""
_TOUCHING_SECONDS = 0.01

_NOT_A_WORD = re.compile(r"^(<.*>|\[.*\]|\+\+.*\+\+)$")
_PRONUNCIATION_MARK = re.compile(r"\(\d+\)$")


@dataclass(frozen=True, kw_only=True)
class EmbeddedSettings:
    """What the operator decided about this engine alone."""

    mask_profanity: bool = setting(
        default=True,
        env="SPEAKR_EMBEDDED_MASK_PROFANITY",
        section=SECTION,
        help="Write swear words of the embedded engine with asterisks. It sometimes recognises one in harmless speech.",
    )
    denoise: bool = setting(
        default=True,
        env="SPEAKR_EMBEDDED_DENOISE",
        section=SECTION,
        help="Remove noise from noisy recordings before the embedded engine transcribes them.",
    )


class EmbeddedConnector:
    """Transcribe with PocketSphinx, one utterance for each stretch of speech.

    Utterances are never joined across a pause: cepstral means are taken over one utterance, and mixing
    voices in it costs more words than any other setting does.
    Hotwords are added to its dictionary and get a higher probability in its language model; it ignores other hints.
    Another language than English is not an error: the result is English and says so. `capabilities.languages` tells
    callers beforehand.
    """

    name = "embedded"
    about: ClassVar[About] = About(
        description="PocketSphinx, English only, about one word in four wrong on ordinary speech",
        needs="nothing",
        supports="hotwords",
        settings=EmbeddedSettings,
    )
    capabilities = Capabilities(
        hotwords=True,
        timestamps=True,
        target_chunk_seconds=30.0,
        max_chunk_seconds=120.0,
        languages=frozenset({"en"}),
        overlap_seconds=OVERLAP_SECONDS,
    )
    default_model: str | None = None
    models: Sequence[str] = ()

    def __init__(self, *, masks_profanity: bool = True, denoises: bool = True) -> None:
        self._decoder: Any = None
        self._boosted: tuple[str, ...] = ()
        self._masks_profanity = masks_profanity
        self._denoises = denoises

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Make the connector; nothing is loaded."""
        own = settings.engine_settings(EmbeddedSettings)
        return cls(masks_profanity=own.mask_profanity, denoises=own.denoise)

    def capabilities_with(self, model: str | None) -> Capabilities:  # noqa: ARG002 - there is one model
        """Return what the engine honours."""
        return self.capabilities

    def transcribe(self, chunk: AudioChunk, hints: Hints, on_segment: OnSegment) -> Hypothesis:
        """Decode each span by itself, with a little of its neighbours where the cut is inside speech.

        A span without words gives no segment.
        """
        hotwords = read_hotwords(hints.hotwords or "")
        chunk = self._quieter(chunk)
        segments: list[Segment] = []

        def keep(words: Sequence[Word]) -> None:
            if self._masks_profanity:
                words = tuple(mask(word) for word in words)
            if words:
                segment = Segment(
                    start=words[0].start,
                    end=words[-1].end,
                    text=write_text(words, hotwords),
                    confidence=mean_probability(words),
                    words=tuple(words),
                )
                on_segment(segment)
                segments.append(segment)

        before: RecognizedWord | None = None
        overlaps = _overlaps(chunk.spans)
        for at, span in enumerate(chunk.spans):
            wide = Span(span.start - overlaps[at], span.end + overlaps[at + 1])
            words = self._recognize(chunk, wide, tuple(hotwords))
            chunk.context.heartbeat()
            recognized = RecognizedWord(span.start, span.end, _as_segments(words))
            if before is not None and overlaps[at]:
                left, right = repair([before, recognized], [OVERLAP_SECONDS])
                before, recognized = replace(before, segments=left), replace(recognized, segments=right)
            if before is not None:
                keep(_words_of(before))
            before = recognized
        if before is not None:
            keep(_words_of(before))
        return Hypothesis(segments=tuple(segments), language="en")

    def _quieter(self, chunk: AudioChunk) -> AudioChunk:
        """Return a noisy chunk without its noise, any other as it is."""
        from speakr.connectors.transcription import noise  # noqa: PLC0415 - the web process only reads our capabilities

        if self._denoises and (
            noise.signal_to_noise_db(chunk.samples, chunk.spans, chunk.start) < noise.NOISY_BELOW_DB
        ):
            return replace(chunk, samples=noise.denoise(chunk.samples))
        return chunk

    def _recognize(self, chunk: AudioChunk, span: Span, hotwords: tuple[str, ...]) -> tuple[Word, ...]:
        samples = chunk.cut(span)
        if samples.size == 0 or samples.min() == samples.max():
            return ()  # out of pure silence the decoder would make up a word
        decoder = self._load(hotwords)
        try:
            # Without this the noise estimate of the last utterance affects this one, and a chunk
            # transcribed again after a crash would differ.
            decoder.reinit_feat()
            decoder.start_utt()
            decoder.process_raw(samples.tobytes(), full_utt=True)
            decoder.end_utt()
            if decoder.hyp() is None:  # then seg() must not be asked
                return ()
            spoken = list(decoder.seg())
        except RuntimeError as error:
            self._decoder = None  # it may be left inside an utterance
            raise ConnectorUnavailable("The embedded recogniser failed on this recording.") from error
        start = max(span.start, chunk.start)
        return tuple(_words(spoken, start, start + samples.size / SAMPLE_RATE))

    def _load(self, hotwords: tuple[str, ...]) -> Any:
        """Return the decoder, made on first use and for other hotwords: it takes half a second and 115 MB."""
        if self._decoder is None or self._boosted != hotwords:
            try:
                from pocketsphinx import Decoder  # noqa: PLC0415 - the web process only reads our capabilities

                self._decoder = Decoder(**DECODER_OPTIONS)
                if hotwords:
                    boost(self._decoder, hotwords)
                self._boosted = hotwords
            except (ImportError, RuntimeError) as error:
                raise ConnectorRejected("The embedded recogniser is not installed completely.") from error
        return self._decoder


def _overlaps(spans: Sequence[Span]) -> list[float]:
    """Return the seconds to decode beyond each edge: before the first span, between each two, after the last.

    Spans that touch were cut from each other inside speech. What chunks share with their neighbours is in them already.
    """
    touching = [later.start - earlier.end < _TOUCHING_SECONDS for earlier, later in pairwise(spans)]
    return [0.0, *(OVERLAP_SECONDS if touches else 0.0 for touches in touching), 0.0]


def _as_segments(words: Sequence[Word]) -> Sequence[Segment]:
    text = " ".join(word.text for word in words)
    return (Segment(words[0].start, words[-1].end, text, words=words),) if words else ()


def _words_of(recognized: RecognizedWord) -> list[Word]:
    return [word for segment in recognized.segments for word in segment.words]


def _words(spoken: Sequence[Any], start: float, end: float) -> list[Word]:
    """Turn decoder segments (frames of 10 ms, `prob` already linear) into words within start and end."""
    words = []
    for token in spoken:
        if _NOT_A_WORD.match(token.word):
            continue
        word_start = round(start + token.start_frame / FRAMES_PER_SECOND, 3)
        word_end = round(start + (token.end_frame + 1) / FRAMES_PER_SECOND, 3)
        words.append(
            Word(
                text=_PRONUNCIATION_MARK.sub("", token.word),
                start=min(max(word_start, start), end),
                end=min(word_end, end),
                probability=min(1.0, float(token.prob)),
            )
        )
    return words
