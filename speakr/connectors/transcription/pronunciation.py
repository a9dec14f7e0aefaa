"""Pronunciation of English words that are in no dictionary: letters in, ARPABET phones out.

An encoder reads the letters and a decoder writes the phones, one layer of 256 gated recurrent units each. The
weights are those of the package `g2p-en`, which is never imported: it would want to download other files.

Source: K. Park and J. Kim, "g2pE: a simple Python module for English grapheme to phoneme conversion", 2019;
gates after K. Cho et al., 2014, in the form with two biases.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

WEIGHTS_FILE: Final = "checkpoint20.npz"
WEIGHTS_SHA256: Final = "b8af35e4596d8dd5836dfd3fe9b2ba4f97b9c311efe8879544cbcfcbd566d8c6"
MAX_PRONUNCIATION_LENGTH: Final = 20

_LETTERS: Final = ("<pad>", "<unk>", "</s>", *"abcdefghijklmnopqrstuvwxyz")
_VOWELS: Final = ["AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH"]
_AFTER: Final = {
    "AY": ["B", "CH", "D", "DH"],
    "EY": ["F", "G", "HH"],
    "IY": ["JH", "K", "L", "M", "N", "NG"],
    "OY": ["P", "R", "S", "SH", "T", "TH"],
}
"""The phones stand in the order of the alphabet; the vowels with their three stresses."""
_START, _STOP = 2, 3

Vector = npt.NDArray[np.float32]


class PronunciationsMissing(Exception):
    """The weights are not installed, or are others than these lines were written for."""


def _phones() -> tuple[str, ...]:
    listed = ["<pad>", "<unk>", "<s>", "</s>"]
    for vowel in _VOWELS:
        listed += [vowel] * 3 + _AFTER.get(vowel, [])
    return (*listed, "UW", "UW", "UW", "UW", "V", "W", "Y", "Z", "ZH")


PHONES: Final = _phones()


class Pronouncer:
    """The network, loaded: 3 MB, and about a millisecond a word."""

    def __init__(self) -> None:
        package = importlib.util.find_spec("g2p_en")
        if package is None or not package.submodule_search_locations:
            raise PronunciationsMissing
        path = Path(package.submodule_search_locations[0]) / WEIGHTS_FILE
        try:
            if hashlib.sha256(path.read_bytes()).hexdigest() != WEIGHTS_SHA256:
                raise PronunciationsMissing
            with np.load(path) as stored:
                self._weights: Mapping[str, Vector] = {name: stored[name] for name in stored}
        except OSError:
            raise PronunciationsMissing from None

    def pronounce(self, word: str) -> str:
        """Return a word's phones, separated by blanks, without stress; empty for a word without letters."""
        letters = [_LETTERS.index(letter) for letter in word.lower() if "a" <= letter <= "z"]
        if not letters:
            return ""
        state = np.zeros(self._weights["enc_w_hh"].shape[1], np.float32)
        for letter in [*letters, _LETTERS.index("</s>")]:
            state = self._step("enc", letter, state)
        phones: list[str] = []
        phone = _START
        for _ in range(MAX_PRONUNCIATION_LENGTH):
            state = self._step("dec", phone, state)
            phone = int((self._weights["fc_w"] @ state + self._weights["fc_b"]).argmax())
            if phone <= _STOP:
                break
            phones.append(PHONES[phone])
        return " ".join(phones)

    def _step(self, half: str, symbol: int, state: Vector) -> Vector:
        """Return the next state, shape (256,). The rows of the weights: reset gate, update gate, candidate."""
        own = self._weights
        seen = own[f"{half}_w_ih"] @ own[f"{half}_emb"][symbol] + own[f"{half}_b_ih"]
        kept = own[f"{half}_w_hh"] @ state + own[f"{half}_b_hh"]
        size = state.size
        reset, update = np.split(1.0 / (1.0 + np.exp(-(seen[: 2 * size] + kept[: 2 * size]))), 2)
        candidate = np.tanh(seen[2 * size :] + reset * kept[2 * size :])
        following: Vector = (1.0 - update) * candidate + update * state
        return following
