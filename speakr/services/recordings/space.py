"""Report full storage with one error."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from speakr.domain.errors import MediaToolFailed, OutOfSpace
from speakr.storage.base import StorageFull

_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})


@contextmanager
def reporting_full_storage() -> Iterator[None]:
    """Raise `OutOfSpace` when the storage or the scratch disk is full."""
    try:
        yield
    except (StorageFull, MediaToolFailed, OSError) as error:
        is_full = isinstance(error, StorageFull) or (
            error.errno in _NO_SPACE if isinstance(error, OSError) else error.slug == OutOfSpace.code
        )
        if not is_full:
            raise
        raise out_of_space() from error


def out_of_space() -> OutOfSpace:
    """Return the error for a file for which there is no space."""
    return OutOfSpace("The server has no space left for this file.")
