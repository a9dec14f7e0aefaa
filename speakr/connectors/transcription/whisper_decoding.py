"""Transcribe a chunk with a loaded Whisper model: pack by pack, each in its own language.

Invented text is dropped: what repeats itself, what the model itself finds unlikely, and what lies outside speech.

Source: Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision", 2022, section 4.5 for the two
limits; the decoder's other settings are faster-whisper's, but for what makes a chunk depend on chance or on the text
before it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import structlog

from speakr.connectors.transcription.base import AudioChunk, OnSegment
from speakr.connectors.transcription.openai_answers import read_answer
from speakr.connectors.transcription.whisper_packs import Pack, is_in_speech, pack
from speakr.domain.languages import code_of, whisper_code
from speakr.domain.transcript import UNDETERMINED, Hints, Hypothesis, Segment

logger = structlog.get_logger(__name__)

BEAM_SIZE: Final = 5
MAX_COMPRESSION_RATIO: Final = 2.4
"""Text that gzip shortens more than this repeats itself."""
MIN_LOG_PROBABILITY: Final = -1.0
"""Mean over the tokens of a segment."""
MIN_LOG_PROBABILITY_UNSURE: Final = -0.6
"""The same where the language is not certain: in a wrong language the model invents sentences."""
CERTAIN: Final = 0.5
"""Probability from which a detected language is trusted."""
LATE_SECONDS: Final = 0.05
"""Whisper base puts the times of words this much too early."""
MAX_PAUSE_SECONDS: Final = 1.0
"""A segment never spans a longer pause than this."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """The language of a pack, as the model's tokens name it; `is_certain` if it was given or clearly detected."""

    token: str
    is_certain: bool
    probability: float | None = None
    """Of the detection, 0 to 1; None if the language was given."""


class Decoder:
    """Decodes packs with one loaded model (`faster_whisper.WhisperModel`). It keeps nothing between chunks."""

    def __init__(self, model: Any, *, beam_size: int = BEAM_SIZE, late_seconds: float = 0.0) -> None:
        """Wrap a model. late_seconds: what to add to its times."""
        self._model = model
        self._beam_size = beam_size
        self._late_seconds = late_seconds
        self._encoding = EncodedOnce(model.encode)
        model.encode = self._encoding

    def transcribe(self, chunk: AudioChunk, hints: Hints, on_segment: OnSegment) -> Hypothesis:
        """Transcribe a chunk; pass on each segment as it is decoded.

        The hypothesis has the language of most of the text, `und` if none was certain.

        Raises:
            RuntimeError: the model failed.
        """
        seconds: dict[str, float] = defaultdict(float)
        probabilities: dict[str, list[float]] = defaultdict(list)
        parts: list[Segment] = []
        estimated = False
        before: Spoken | None = None
        for packed in pack(chunk):
            spoken = self._language(packed, hints, before)
            before = spoken if spoken.is_certain else before
            if spoken.probability is not None:
                probabilities[spoken.token].append(spoken.probability)
            for answer in self._decode(packed, spoken, hints, chunk):
                read = read_answer({"segments": [answer]}, chunk, None)
                for part in read.segments if read else ():
                    parts.append(part)
                    on_segment(part)
                    if spoken.is_certain:
                        seconds[spoken.token] += part.end - part.start
                estimated = estimated or bool(read and read.times_estimated)
                chunk.context.heartbeat()
            chunk.context.heartbeat()
        parts.sort(key=lambda segment: (segment.start, segment.end))
        main = max(seconds, key=lambda token: seconds[token], default=None)
        language = UNDETERMINED if main is None else code_of(main)
        return Hypothesis(
            tuple(parts),
            language,
            times_estimated=estimated,
            language_probability=max(probabilities[main], default=None) if main is not None else None,
        )

    def _language(self, packed: Pack, hints: Hints, before: Spoken | None) -> Spoken:
        """Return the requested language if the model has it, else the detected one, else that of the pack before."""
        self._encoding.forget()
        if not self._model.model.is_multilingual:
            return Spoken("en", is_certain=True)
        wanted = self._token(whisper_code(hints.language))
        if wanted is not None:
            return Spoken(wanted, is_certain=True)
        detected, probability, _ = self._model.detect_language(audio=packed.samples)
        if probability >= CERTAIN:
            return Spoken(detected, is_certain=True, probability=float(probability))
        logger.info("language_uncertain", detected=detected, probability=round(probability, 2))
        return before or Spoken(detected, is_certain=False, probability=float(probability))

    def _token(self, code: str | None) -> str | None:
        """Return the name of a language among the model's tokens; None if it has no such language."""
        name = "jw" if code == "jv" else code
        known = name in self._model.supported_languages
        return name if known and self._model.hf_tokenizer.token_to_id(f"<|{name}|>") is not None else None

    def _decode(
        self, packed: Pack, spoken: Spoken, hints: Hints, chunk: AudioChunk
    ) -> Iterator[dict[str, Any]]:
        """Yield the credible segments of a pack in the form of servers' answers, in seconds from the chunk's start.

        People repeat themselves too. A pack whose text does is decoded in halves: a loop of the model stays one.
        """
        found = list(self._segments(packed, spoken, hints))
        chunk.context.heartbeat()
        if any(segment.compression_ratio > MAX_COMPRESSION_RATIO for segment in found):
            for half in packed.halves():
                yield from self._decode(half, spoken, hints, chunk)
            if len(packed.pieces) > 1:
                return
        least = MIN_LOG_PROBABILITY if spoken.is_certain else MIN_LOG_PROBABILITY_UNSURE
        for segment in found:
            if segment.compression_ratio > MAX_COMPRESSION_RATIO or segment.avg_logprob < least:
                _report_dropped(segment)
                continue
            for answer in _answers(segment, packed, self._late_seconds):
                if is_in_speech(chunk.spans, answer["start"], answer["end"]):
                    yield _counted_from(chunk.start, answer)

    def _segments(self, packed: Pack, spoken: Spoken, hints: Hints) -> Iterator[Any]:
        found, _ = self._model.transcribe(
            packed.samples,
            language=spoken.token,
            task="translate" if hints.translate else "transcribe",
            initial_prompt=hints.initial_prompt,
            hotwords=hints.hotwords,
            word_timestamps=True,
            temperature=0.0,
            beam_size=self._beam_size,
            condition_on_previous_text=False,
        )
        yield from found


def _report_dropped(segment: Any) -> None:
    logger.info(
        "segment_dropped",
        compression_ratio=round(segment.compression_ratio, 1),
        log_probability=round(segment.avg_logprob, 2),
    )


class EncodedOnce:
    """An encoder that is asked twice about a window, for its language and for its text, and works once."""

    def __init__(self, encode: Any) -> None:
        self._encode = encode
        self._last: tuple[Any, Any] | None = None

    def __call__(self, features: Any) -> Any:
        """Return the encoded window. features: shape (mels, 3000).

        Detection takes one more frame, of zeros, than the text does; it makes no difference.
        """
        if self._last is not None:
            known, encoded = self._last
            if known.shape == features.shape and (known != features).any(axis=0).sum() <= 1:
                return encoded
        encoded = self._encode(features)
        self._last = (features, encoded)
        return encoded

    def forget(self) -> None:
        """Forget the last window, so that no chunk depends on the one before it."""
        self._last = None


def _answers(segment: Any, packed: Pack, late_seconds: float) -> Iterator[dict[str, Any]]:
    """Yield a segment in the recording's time, in parts where it spans a longer pause than it may."""
    words = [_word(word, packed, late_seconds) for word in segment.words or ()]
    if not words:
        piece = packed.piece_at((segment.start + segment.end) / 2)
        times = {"start": packed.place(segment.start, piece), "end": packed.place(segment.end, piece)}
        yield {**times, "text": segment.text, "avg_logprob": float(segment.avg_logprob), "words": []}
        return
    for group in _groups(words):
        yield {
            "start": group[0]["start"],
            "end": max(word["end"] for word in group),
            "text": "".join(word["word"] for word in group),
            "avg_logprob": float(segment.avg_logprob),
            "words": group,
        }


def _word(word: Any, packed: Pack, late_seconds: float) -> dict[str, Any]:
    """Return a word in the recording's time. It stays within one piece: no word spans a pause."""
    piece = packed.piece_at((word.start + word.end) / 2)
    return {
        "word": word.word,
        "start": packed.place(word.start + late_seconds, piece),
        "end": packed.place(word.end + late_seconds, piece),
        "probability": float(word.probability),
    }


def _groups(words: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    group = [words[0]]
    for left, right in pairwise(words):
        if right["start"] - left["end"] > MAX_PAUSE_SECONDS:
            yield group
            group = []
        group.append(right)
    yield group


def _counted_from(start: float, answer: dict[str, Any]) -> dict[str, Any]:
    """Return an answer with times that count from the start of its chunk."""

    def shifted(part: dict[str, Any]) -> dict[str, Any]:
        return {**part, "start": part["start"] - start, "end": part["end"] - start}

    return {**shifted(answer), "words": [shifted(word) for word in answer["words"]]}
