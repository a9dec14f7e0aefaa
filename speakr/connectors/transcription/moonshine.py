"""Moonshine base-en in onnxruntime: words with probabilities and times out of one utterance in English.

An encoder turns the samples into frames of 26 ms. A decoder writes one token at a time, always the likeliest, so the
result depends on the samples alone. Two heads of its attention follow the sound; dynamic time warping over them gives
each token a time, with a median error of 35 ms.

Source: N. Jeffries et al., "Moonshine: Speech Recognition for Live Transcription and Voice Commands", 2024.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnxruntime

from speakr.connectors.transcription.base import SAMPLE_RATE
from speakr.connectors.transcription.hotword_bias import HotwordBias
from speakr.connectors.transcription.loops import is_looping, without_loop
from speakr.connectors.transcription.moonshine_tokens import END, START, Tokens
from speakr.domain.transcript import Word

MAX_SECONDS: Final = 28.0
"""The model was trained on utterances of up to 30 s."""
MIN_SECONDS: Final = 0.1
MAX_TOKENS_PER_SECOND: Final = 6.5
"""The limit of its makers."""
MIN_SECONDS_TO_HALVE: Final = 3.0
"""Shorter utterances are not decoded in halves: half a phrase is recognised worse."""
_PAUSE_SECONDS: Final = 0.2

_GRAPHS: Final = ("encoder", "keys", "decoder")
_HEADS: Final = 8
_HEAD_SIZE: Final = 52
_ATTENTION: Final = ("attention5", "attention4")
_ERRORS_ONLY: Final = 3

Signal = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Step:
    """What one step of the decoder gives: scores of all tokens (logits), attention (heads, frames), keys and values."""

    scores: Signal
    attention: Signal
    past: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Decoded:
    """Tokens, their log-probabilities, and the attention of each, shape (heads, frames)."""

    tokens: list[int]
    log_probabilities: list[float]
    attention: list[Signal]

    def add(self, token: int, step: _Step) -> None:
        """Append a token."""
        top = float(step.scores.max())
        total = top + float(np.log(np.exp(step.scores - top).sum()))
        self.tokens.append(token)
        self.log_probabilities.append(float(step.scores[token]) - total)
        self.attention.append(step.attention)

    @property
    def is_complete(self) -> bool:
        """Whether the model ended the text itself."""
        return bool(self.tokens) and self.tokens[-1] == END

    def cut(self, count: int) -> None:
        """Keep only the first tokens."""
        for values in (self.tokens, self.log_probabilities, self.attention):
            del values[count:]


class Moonshine:
    """The model, loaded. It keeps nothing between utterances."""

    def __init__(self, folder: Path) -> None:
        """Load the graphs and run them once on silence, so that a runtime that cannot shows it here."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._encoder, self._keys, self._decoder = (
            onnxruntime.InferenceSession(
                str(folder / f"{name}.onnx"), options, providers=["CPUExecutionProvider"]
            )
            for name in _GRAPHS
        )
        self._key_names = [each.name for each in self._keys.get_outputs()]
        self._past = [each.name for each in self._decoder.get_inputs() if ".decoder." in each.name]
        present = [name.replace("past_key_values", "present") for name in self._past]
        self._outputs = ["logits", *present, *_ATTENTION]
        self.tokens = Tokens(folder / "tokenizer.bin")
        self.words(np.zeros(SAMPLE_RATE // 4, np.float32))

    def words(self, samples: Signal, hotwords: Sequence[str] = ()) -> list[Word]:
        """Return the words of an utterance, punctuation attached, with times in seconds from its start.

        samples: -1 to 1, 16 kHz, at most 28 s. hotwords: as they are to be written.

        Decoding that does not come to an end, as in a loop, has lost what was said later. Then the halves of the
        utterance are decoded.
        """
        if samples.size < MIN_SECONDS * SAMPLE_RATE:
            return []
        decoded = self._decode(samples, HotwordBias(self.tokens, hotwords) if hotwords else None)
        if not decoded.is_complete and (words := self._words_of_halves(samples, hotwords)):
            return words
        words = self._join(decoded, samples.size / SAMPLE_RATE)
        return words if decoded.is_complete else without_loop(words)

    def _words_of_halves(self, samples: Signal, hotwords: Sequence[str]) -> list[Word]:
        """Return the words of both halves; a half without any is halved again, as the model may have missed its beginning."""
        if samples.size < MIN_SECONDS_TO_HALVE * SAMPLE_RATE:
            return []
        cut = quietest_sample(samples)
        found: list[Word] = []
        for first, half in ((0, samples[:cut]), (cut, samples[cut:])):
            words = self.words(half, hotwords) or self._words_of_halves(half, hotwords)
            found += [_later(word, first / SAMPLE_RATE) for word in words]
        return found

    def _decode(self, samples: Signal, bias: HotwordBias | None) -> _Decoded:
        feed = self._begin(samples)
        decoded = _Decoded([], [], [])
        limit = int(samples.size / SAMPLE_RATE * MAX_TOKENS_PER_SECOND) + 2
        beginning: tuple[int, _Step] | None = None
        token = START
        while len(decoded.tokens) < limit:
            step = self._step(feed, token)
            choice = int(step.scores.argmax()) if bias is None else bias.choose(step.scores)
            if choice is None and beginning is not None:  # a hotword was begun that was not said
                at, step = beginning
                decoded.cut(at)
                choice = int(step.scores.argmax())
            elif bias is not None and bias.is_at_beginning:
                beginning = len(decoded.tokens), step
            token = choice or END
            decoded.add(token, step)
            feed.update(step.past)
            if token == END or is_looping(decoded.tokens):
                break
        return decoded

    def _begin(self, samples: Signal) -> dict[str, Any]:
        """Run the encoder; return the inputs of the first step."""
        value = onnxruntime.OrtValue.ortvalue_from_numpy
        frames = self._encoder.run(None, {"input_values": samples[None]})[0]
        keys = self._keys.run(None, {"encoder_hidden_states": frames})
        feed = dict(zip(self._key_names, map(value, keys), strict=True))
        return feed | {name: value(np.zeros((1, _HEADS, 0, _HEAD_SIZE), np.float32)) for name in self._past}

    def _step(self, feed: dict[str, Any], token: int) -> _Step:
        """Run the decoder on one token."""
        feed["input_ids"] = onnxruntime.OrtValue.ortvalue_from_numpy(np.array([[token]], np.int64))
        logits, *rest = self._decoder.run_with_ort_values(self._outputs, feed)
        past, heads = rest[: len(self._past)], rest[len(self._past) :]
        return _Step(
            logits.numpy()[0, -1],
            np.concatenate([head.numpy()[0, :, 0] for head in heads]),
            dict(zip(self._past, past, strict=True)),
        )

    def _join(self, decoded: _Decoded, seconds: float) -> list[Word]:
        """Join tokens to words. A word's probability is the geometric mean of its tokens'."""
        tokens = decoded.tokens
        attention = np.stack(decoded.attention, axis=1)
        step = seconds / attention.shape[2]
        starts = [frame * step for frame in first_frames(_contrast(attention))]
        count = len(tokens) - (tokens[-1] == END)
        begins = [at for at in range(count) if at == 0 or self.tokens.begins_word(tokens[at])]
        words = []
        for first, last in zip(begins, [*begins, count][1:], strict=True):
            text = self.tokens.text(tokens[first:last])
            end = starts[last] if last < len(starts) else seconds
            probability = float(np.exp(np.mean(decoded.log_probabilities[first:last])))
            if text:
                words += [Word(part, starts[first], end, min(1.0, probability)) for part in text.split()]
        return words


def quietest_sample(samples: Signal) -> int:
    """Return the middle of the quietest fifth of a second, at least a quarter of the length from both ends."""
    window = round(_PAUSE_SECONDS * SAMPLE_RATE)
    first, last = samples.size // 4, samples.size - samples.size // 4
    energy = np.cumsum(np.square(samples[first:last], dtype=np.float64))
    return first + int((energy[window:] - energy[:-window]).argmin()) + window // 2


def _later(word: Word, seconds: float) -> Word:
    return replace(word, start=word.start + seconds, end=word.end + seconds)


def _contrast(attention: Signal) -> Signal:
    """Return how much each frame stands out for each token over both heads, shape (tokens, frames)."""
    spread = np.maximum(attention.std(axis=1, keepdims=True), 1e-6)
    contrast: Signal = ((attention - attention.mean(axis=1, keepdims=True)) / spread).mean(axis=0)
    return contrast


def first_frames(gain: Signal) -> list[int]:
    """Return for each row the first column of the best monotonic path (dynamic time warping).

    gain: shape (rows, columns); a path goes from one corner to the opposite one.
    """
    rows, columns = gain.shape
    total = np.full((rows + 1, columns + 1), -np.inf)
    total[0, 0] = 0.0
    for row in range(1, rows + 1):
        # Of a row, the path enters column c from above and may have stayed in the row since an earlier column:
        # the best total is a running maximum of (entry - sum of the row before it).
        sums = np.cumsum(gain[row - 1], dtype=np.float64)
        before = np.concatenate([[0.0], sums[:-1]])
        entry = np.maximum(total[row - 1, :-1], total[row - 1, 1:]) - before
        total[row, 1:] = np.maximum.accumulate(entry) + sums
    first = [0] * rows
    column = columns
    for row in range(rows, 0, -1):
        sums = np.cumsum(gain[row - 1], dtype=np.float64)
        before = np.concatenate([[0.0], sums[:-1]])
        entry = (np.maximum(total[row - 1, :-1], total[row - 1, 1:]) - before)[:column]
        entered = int(entry.argmax())
        first[row - 1] = entered
        is_diagonal = total[row - 1, entered] >= total[row - 1, entered + 1]
        column = entered if is_diagonal else entered + 1
    return first
