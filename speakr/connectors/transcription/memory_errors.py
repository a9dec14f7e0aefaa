"""Tell a lack of memory from other errors of the runtimes, which have no class of their own for it."""

from __future__ import annotations

import errno
from typing import Final

_MESSAGES: Final = ("bad_alloc", "bad allocation", "allocate memory", "memory allocation", "out of memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether memory was missing, of the machine or of a graphics card: later there may be enough."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    message = str(error).lower()
    return any(each in message for each in _MESSAGES)
