"""The tokens of Moonshine: from token ids to words, and from a word to its tokens.

The tokenizer is byte pair encoding as of Llama: tokens stand in the order of their merges, `▁` begins a word, and
`<0x41>` is one byte.

Source: R. Sennrich et al., "Neural Machine Translation of Rare Words with Subword Units", ACL 2016.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

START: Final = 1
END: Final = 2

_WORD_BEGIN: Final = "▁".encode()
_BYTE: Final = re.compile(rb"<0x([0-9A-F]{2})>")
_SPECIAL: Final = re.compile(rb"<.*>")
_LONG: Final = 0x80


class Tokens:
    """The vocabulary."""

    def __init__(self, path: Path) -> None:
        """Read `tokenizer.bin`: each token is its length, in one byte or two from 128 on, and its bytes."""
        self._tokens = _read(path.read_bytes())
        self._ids = {token: at for at, token in reversed(list(enumerate(self._tokens)))}
        self._bytes = [_as_bytes(token) for token in self._tokens]

    def begins_word(self, token: int) -> bool:
        """Return whether a token is the first of a word."""
        return self._tokens[token].startswith(_WORD_BEGIN)

    def ends_word(self, token: int) -> bool:
        """Return whether a word may end before this token: it begins another, ends the text, or begins with no letter."""
        return self.begins_word(token) or not self._bytes[token][:1].isalpha()

    def text(self, tokens: Sequence[int]) -> str:
        """Return the text of tokens without blanks around it; special tokens have none."""
        raw = b"".join(self._bytes[token] for token in tokens)
        return raw.replace(_WORD_BEGIN, b" ").decode("utf-8", "replace").strip()

    def of_word(self, word: str) -> tuple[int, ...]:
        """Return the tokens in which the model writes a word; empty if it has no token for a character."""
        parts = [_WORD_BEGIN, *(letter.encode() for letter in word)]
        while True:
            merges = [
                (self._ids[left + right], at)
                for at, (left, right) in enumerate(pairwise(parts))
                if left + right in self._ids
            ]
            if not merges:
                break
            _, at = min(merges)  # the merge that was learned first
            parts[at : at + 2] = [parts[at] + parts[at + 1]]
        if any(part not in self._ids for part in parts):
            return ()
        return tuple(self._ids[part] for part in parts)


def _read(raw: bytes) -> list[bytes]:
    tokens, at = [], 0
    while at < len(raw):
        length = raw[at]
        at += 1
        if length >= _LONG:
            length += _LONG * (raw[at] - 1)
            at += 1
        tokens.append(raw[at : at + length])
        at += length
    return tokens


def _as_bytes(token: bytes) -> bytes:
    if byte := _BYTE.fullmatch(token):
        return bytes.fromhex(byte[1].decode())
    return b"" if _SPECIAL.fullmatch(token) else token
