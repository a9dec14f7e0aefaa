"""The form of a key. Every backend refuses any other, so no key can be a path out of the storage."""

from __future__ import annotations

import re

_WORD = r"[a-z][a-z0-9_-]{0,31}"
_KEY = re.compile(rf"{_WORD}/([0-9a-f]{{2}})/\1[0-9a-f]{{30}}")
_PREFIX = re.compile(rf"(?:{_WORD}(?:/[0-9a-f]{{2}})?/?)?")


def is_key(text: str) -> bool:
    """Tell whether a text is a key as `new_key` makes them."""
    return _KEY.fullmatch(text) is not None


def checked_key(key: str) -> str:
    """Return the key. Raises `ValueError` for another form, which is an error of the program, not of a user."""
    if not is_key(key):
        raise ValueError("not a storage key")
    return key


def checked_prefix(prefix: str) -> str:
    """Return a prefix for listing: nothing, `audio` or `audio/3f`, without a final slash.

    Raises `ValueError` for anything else.
    """
    if not _PREFIX.fullmatch(prefix):
        raise ValueError("not a storage key prefix")
    return prefix.removesuffix("/")


def is_under(key: str, prefix: str) -> bool:
    """Tell whether a key lies under a checked prefix, by whole words."""
    return not prefix or key.startswith(prefix + "/")
