"""The engine that is always there: it needs no network, no key and no service.

Moonshine base-en transcribes English. Where its model is not prepared, or cannot run, PocketSphinx does, whose model
comes with its package. Speech in other languages goes to a second recogniser, if the server has one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol, Self

import structlog

from speakr.connectors.transcription.base import SECTION, About, AudioChunk, Capabilities, OnSegment
from speakr.connectors.transcription.english_gate import is_english
from speakr.connectors.transcription.hotwords import read_hotwords, spelled
from speakr.connectors.transcription.memory_errors import is_out_of_memory
from speakr.connectors.transcription.other_languages import (
    ENGLISH_ONLY,
    NoOtherLanguages,
    OtherLanguages,
    make_other_languages,
)
from speakr.connectors.transcription.profanity import mask
from speakr.connectors.transcription.words import mean_probability
from speakr.domain.errors import ConnectorRejected, ConnectorUnavailable
from speakr.domain.seams import RecognizedChunk, repair
from speakr.domain.transcript import UNDETERMINED, Hints, Hypothesis, Segment, Span, Word
from speakr.environment import setting
from speakr.model_files.catalogue import MOONSHINE
from speakr.model_files.store import ModelUnusable, open_model, shared_folder
from speakr.settings import Settings

if TYPE_CHECKING:  # the web process only reads our capabilities
    import numpy as np
    import numpy.typing as npt

logger = structlog.get_logger(__name__)

OVERLAP_SECONDS = 2.0
"""Seconds that neighbours overlap where speech is too long to be one utterance."""
_TOUCHING_SECONDS = 0.01
_LASTING = frozenset(
    [
        "ImportError",
        "ModuleNotFoundError",
        "NotImplementedError",
        "NotImplemented",
        "Fail",
        "InvalidGraph",
        "InvalidProtobuf",
    ]
)
"""Names of the errors of Python and onnxruntime for a missing library, an unknown format and an unsupported processor."""
_SPARE = "PocketSphinx transcribes instead, with more errors."
_BLIND_TO_LANGUAGE = "It writes English words for speech in any language."
_SPARE_OF_ENGLISH = (
    "Instead, Whisper transcribes, and PocketSphinx what is requested in English, both with more errors."
)


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
        help="Remove noise from noisy recordings before PocketSphinx, the spare of the embedded engine, transcribes them.",
    )


class Recogniser(Protocol):
    """A recogniser of English, loaded."""

    model: str
    max_span_seconds: float
    """The longest utterance that it takes."""

    def prepared(self, chunk: AudioChunk) -> AudioChunk:
        """Return the chunk as it recognises it best."""
        ...

    def recognise(self, samples: npt.NDArray[np.int16], hotwords: Mapping[str, str]) -> list[Word]:
        """Return the words of one utterance, with times in seconds from its start."""
        ...

    def finished(self, words: list[Word]) -> list[Word]:
        """Return the words of an utterance that a pause follows."""
        ...

    def text(self, words: Sequence[Word], hotwords: Mapping[str, str]) -> str:
        """Return the words as readable text."""
        ...


class EmbeddedConnector:
    """Transcribe with one utterance for each stretch of speech, which depends on its own samples only.

    English is published only when the whole chunk is known to be English: from other languages the model would make
    up fluent sentences.
    """

    name = "embedded"
    about: ClassVar[About] = About(
        description="Moonshine base for English, about one word in thirty wrong on clear speech; Whisper base for other languages, about one in nine",
        needs="nothing; its models are prepared at installation",
        supports="language, hotwords",
        settings=EmbeddedSettings,
    )
    capabilities = Capabilities(
        hotwords=True,
        timestamps=True,
        is_local=True,
        target_chunk_seconds=30.0,
        live_chunk_seconds=8.0,
        max_chunk_seconds=120.0,
        languages=frozenset({"en"}),
        overlap_seconds=OVERLAP_SECONDS,
    )
    default_model: str | None = None
    models: Sequence[str] = ()

    def __init__(
        self,
        models_folder: Path | None = None,
        *,
        masks_profanity: bool = True,
        denoises: bool = True,
        other_languages: OtherLanguages | None = None,
    ) -> None:
        """Make the connector. models_folder: of prepared models; None is the one of the Python environment."""
        self._models_folder = models_folder or shared_folder()
        self._masks_profanity = masks_profanity
        self._denoises = denoises
        self._other_languages = other_languages or NoOtherLanguages()
        self._recogniser: Recogniser | None = None
        if self._other_languages.is_available():
            self.capabilities = replace(self.capabilities, languages=None, language_detection=True)

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Make the connector; nothing is loaded."""
        own = settings.engine_settings(EmbeddedSettings)
        return cls(
            settings.models_folder,
            masks_profanity=own.mask_profanity,
            denoises=own.denoise,
            other_languages=make_other_languages(settings),
        )

    def capabilities_with(self, model: str | None) -> Capabilities:  # noqa: ARG002 - users cannot choose one
        """Return what the engine honours."""
        return self.capabilities

    def limitation(self) -> str | None:
        """Return why the spare transcribes, in a sentence for users; None if it does not.

        It reads the model's files when they have changed, and loads nothing.
        """
        try:
            open_model(self._models_folder, MOONSHINE)
        except ModelUnusable as unusable:
            if self._other_languages.is_available():
                return f"{unusable} {_SPARE_OF_ENGLISH}"
            return f"{unusable} {_SPARE} {_BLIND_TO_LANGUAGE}"
        return None

    def transcribe(self, chunk: AudioChunk, hints: Hints, on_segment: OnSegment) -> Hypothesis:
        """Transcribe a chunk in English, or leave it to the recogniser for other languages.

        PocketSphinx cannot tell other languages from English. Where it is in use, it transcribes without a named language
        only if there is no recogniser for other languages.

        Speech that is not English gives no segments if there is no such recogniser, and the language `und`. Where nothing is
        recognised, the language is the one that the user named, or None.

        Raises:
            ConnectorRejected: the user named another language, and no recogniser here knows it.
            ConnectorUnavailable: the recogniser failed.
        """
        language = (hints.language or "").split("-")[0].lower()
        language = "" if language == "auto" else language
        if language not in ("", "en"):
            if not self._other_languages.is_available():
                raise ConnectorRejected(ENGLISH_ONLY)
            return self._other_languages.transcribe(chunk, hints, on_segment)
        recogniser = self._load()
        if not language and recogniser.model != MOONSHINE.name and self._other_languages.is_available():
            return self._other_languages.transcribe(chunk, hints, on_segment)
        hotwords = read_hotwords(hints.hotwords or "")
        utterances = self._recognise(recogniser, recogniser.prepared(chunk), hotwords)
        # PocketSphinx has no such probabilities: its own tell nothing about the language.
        is_gated = language != "en" and recogniser.model == MOONSHINE.name
        # Hotwords have low probabilities, because the model would not have written them.
        own = [word for words in utterances for word in words if spelled(word.text, hotwords) is None]
        if is_gated and not is_english(own):
            return self._not_english(chunk, hints, on_segment, recogniser.model)
        segments = [self._segment(recogniser, words, hotwords) for words in utterances if words]
        for segment in segments:
            on_segment(segment)
        found = "en" if segments or language == "en" else None
        return Hypothesis(segments=tuple(segments), language=found, model=recogniser.model)

    def _not_english(self, chunk: AudioChunk, hints: Hints, on_segment: OnSegment, model: str) -> Hypothesis:
        if self._other_languages.is_available():
            return self._other_languages.transcribe(chunk, hints, on_segment)
        logger.warning(
            "speech_is_not_english", start=round(chunk.start, 1), help="this server transcribes English only"
        )
        return Hypothesis(segments=(), language=UNDETERMINED, model=model)

    def _recognise(
        self, recogniser: Recogniser, chunk: AudioChunk, hotwords: Mapping[str, str]
    ) -> list[list[Word]]:
        """Return the words of each span in the recording's time, recognised beyond its edges where a cut is inside speech."""
        spans = _cut(chunk.spans, recogniser.max_span_seconds)
        overlaps = _overlaps(spans)
        found = []
        for at, span in enumerate(spans):
            wide = Span(max(span.start - overlaps[at], chunk.start), span.end + overlaps[at + 1])
            words = [_moved(word, wide.start) for word in recogniser.recognise(chunk.cut(wide), hotwords)]
            found.append(RecognizedChunk(span.start, span.end, _as_segments(words)))
            chunk.context.heartbeat()
        utterances = [
            [word for segment in segments for word in segment.words]
            for segments in repair(found, overlaps[1:-1])
        ]
        return [
            words if overlap else recogniser.finished(words)
            for words, overlap in zip(utterances, overlaps[1:], strict=False)
        ]

    def _segment(self, recogniser: Recogniser, words: Sequence[Word], hotwords: Mapping[str, str]) -> Segment:
        if self._masks_profanity:
            words = [mask(word) for word in words]
        return Segment(
            start=words[0].start,
            end=words[-1].end,
            text=recogniser.text(words, hotwords),
            confidence=mean_probability(words),
            words=tuple(words),
        )

    def _load(self) -> Recogniser:
        """Return the recogniser, made on first use: it takes half a second and 140 MB."""
        if self._recogniser is None:
            self._recogniser = self._moonshine() or self._spare()
        return self._recogniser

    def _moonshine(self) -> Recogniser | None:
        """Return the recogniser of the model; None if it cannot be used here, which the log says.

        Raises:
            ConnectorUnavailable: it cannot be loaded now, as without memory.
        """
        try:
            folder = open_model(self._models_folder, MOONSHINE)
            from speakr.connectors.transcription.moonshine_recogniser import (  # noqa: PLC0415 - loads onnxruntime
                MoonshineRecogniser,
            )

            return MoonshineRecogniser(folder)
        except ModelUnusable as unusable:
            logger.warning("embedded_model_unusable", reason=str(unusable), help=_SPARE)
        except Exception as error:  # the runtime's own errors have no common class but this one
            if is_out_of_memory(error) or type(error).__name__ not in _LASTING:
                logger.exception("embedded_model_not_loaded", model=MOONSHINE.name)
                raise ConnectorUnavailable(
                    "The embedded recogniser cannot be loaded now; the server may have too little memory."
                ) from error
            logger.exception("embedded_model_not_loaded", model=MOONSHINE.name, help=_SPARE)
        return None

    def _spare(self) -> Recogniser:
        from speakr.connectors.transcription.sphinx import SphinxRecogniser  # noqa: PLC0415 - loads numpy

        return SphinxRecogniser(denoises=self._denoises)


def _moved(word: Word, seconds: float) -> Word:
    return replace(word, start=round(seconds + word.start, 3), end=round(seconds + word.end, 3))


def _cut(spans: Sequence[Span], longest: float) -> list[Span]:
    """Return the spans; those that with their overlaps would exceed `longest` seconds as equal parts that touch."""
    limit = longest - 2 * OVERLAP_SECONDS
    overlaps = _overlaps(spans)
    parts: list[Span] = []
    for at, span in enumerate(spans):
        if overlaps[at] + span.duration + overlaps[at + 1] <= longest:
            parts.append(span)
            continue
        count = math.ceil(span.duration / limit)
        edges = [span.start + span.duration * part / count for part in range(count)] + [span.end]
        parts += [Span(start, end) for start, end in pairwise(edges)]
    return parts


def _overlaps(spans: Sequence[Span]) -> list[float]:
    """Return the seconds to decode beyond each edge: before the first span, between each two, after the last.

    Spans that touch were cut from each other inside speech. What chunks share with their neighbours is in them already.
    """
    touching = [later.start - earlier.end < _TOUCHING_SECONDS for earlier, later in pairwise(spans)]
    return [0.0, *(OVERLAP_SECONDS if touches else 0.0 for touches in touching), 0.0]


def _as_segments(words: Sequence[Word]) -> Sequence[Segment]:
    text = " ".join(word.text for word in words)
    return (Segment(words[0].start, words[-1].end, text, words=tuple(words)),) if words else ()
