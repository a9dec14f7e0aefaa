"""Utterances that Moonshine does not end by itself, and people who repeat themselves."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from speakr.connectors.transcription.base import SAMPLE_RATE
from speakr.connectors.transcription.loops import without_loop
from speakr.connectors.transcription.moonshine import Moonshine, quietest_sample
from speakr.connectors.transcription.moonshine_tokens import END
from speakr.domain.transcript import Word
from speakr.model_files.catalogue import MOONSHINE
from speakr.model_files.store import shared_folder
from tests.connectors.conftest import read_clip


@pytest.fixture(scope="module")
def model() -> Moonshine:
    return Moonshine(shared_folder() / MOONSHINE.name)


def sound_of(*names: str, pause_seconds: float = 0.6) -> np.ndarray:
    pause = np.zeros(round(pause_seconds * SAMPLE_RATE), np.int16)
    parts = [part for name in names for part in (read_clip(name), pause)]
    return np.concatenate(parts[:-1]).astype(np.float32) / 32768


def bare(words: list[Word]) -> list[str]:
    """Return the words in one spelling: the model writes 10 or ten, metres or meters."""
    spelled = {"10": "ten", "metres": "meters"}
    text = " ".join(word.text.lower().strip(".,?!") for word in words).replace("-", " ")
    return [spelled.get(word, word) for word in text.split()]


def decode_in_a_loop(
    model: Moonshine, monkeypatch: pytest.MonkeyPatch, longest_seconds: float
) -> list[float]:
    """Let the model repeat its first word where an utterance is longer; return the seconds of all utterances."""
    known, seconds = model._decode, []

    def decode(samples: np.ndarray, bias: object) -> object:
        decoded = known(samples, bias)
        seconds.append(samples.size / SAMPLE_RATE)
        if seconds[-1] > longest_seconds:
            decoded.cut(2)
            for values in (decoded.tokens, decoded.log_probabilities, decoded.attention):
                values.extend(values[:2] * 5)
        return decoded

    monkeypatch.setattr(model, "_decode", decode)
    return seconds


def test_a_loop_costs_none_of_the_other_words(model: Moonshine, monkeypatch: pytest.MonkeyPatch) -> None:
    clips = ("librivox_0880", "goforward", "librivox_0870")
    expected = [word for name in clips for word in bare(model.words(sound_of(name)))]
    sound = sound_of(*clips)
    seconds = decode_in_a_loop(model, monkeypatch, longest_seconds=5.0)
    words = model.words(sound)
    assert bare(words) == expected
    assert len(seconds) > 2
    assert all(earlier.end <= later.start + 1e-6 for earlier, later in itertools.pairwise(words))
    assert words[-1].start > 6.0
    assert words[-1].end <= sound.size / SAMPLE_RATE


def test_an_utterance_that_never_ends_keeps_one_phrase(
    model: Moonshine, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = sound_of("goforward")  # shorter than what is halved
    seconds = decode_in_a_loop(model, monkeypatch, longest_seconds=0.0)
    assert len(bare(model.words(sound))) == len(set(bare(model.words(sound))))
    assert len(seconds) == 2


def test_a_phrase_that_is_said_four_times_is_written_four_times(model: Moonshine) -> None:
    once = bare(model.words(sound_of("goforward")))
    assert bare(model.words(sound_of(*["goforward"] * 4, pause_seconds=0.2))) == once * 4


def test_a_half_without_words_is_halved_again(model: Moonshine, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = sound_of("librivox_0880", "goforward", "librivox_0880", "goforward")
    expected = bare(model.words(sound))
    known = model._decode

    def decode(samples: np.ndarray, bias: object) -> object:
        decoded = known(samples, bias)
        seconds = samples.size / SAMPLE_RATE
        if seconds > 8.0:
            decoded.cut(2)  # does not end
        elif seconds > 4.0:
            decoded.cut(0)
            decoded.tokens.append(END)
            decoded.log_probabilities.append(0.0)
            decoded.attention.append(np.ones((2, 10), np.float32))
        return decoded

    monkeypatch.setattr(model, "_decode", decode)
    assert bare(model.words(sound)) == expected


def test_the_cut_is_at_the_pause() -> None:
    loud = np.ones(3 * SAMPLE_RATE, np.float32)
    loud[2 * SAMPLE_RATE : 2 * SAMPLE_RATE + 4_000] = 0.0
    assert 2 * SAMPLE_RATE <= quietest_sample(loud) <= 2 * SAMPLE_RATE + 4_000
    loud[:4_000] = 0.0  # too close to the beginning
    assert quietest_sample(loud) >= 2 * SAMPLE_RATE


def test_of_a_loop_one_phrase_stays() -> None:
    said = [*["we", "go", "home"] * 3, "we", "go"]
    assert [word.text for word in without_loop([Word(text, 0, 1) for text in said])] == ["we", "go", "home"]
    once = ["no", "no", "no", "we", "go", "home"]
    assert [word.text for word in without_loop([Word(text, 0, 1) for text in once])] == once
