"""The words for what a webhook's owner may choose."""

from __future__ import annotations

from enum import StrEnum


class PayloadStyle(StrEnum):
    """How much of an event is sent."""

    FULL = "full"
    THIN = "thin"
    """Ids only: the receiver asks the API for the rest, so that nothing private passes through it."""


class WhenPaused(StrEnum):
    """What becomes of events while a webhook is paused."""

    HOLD = "hold"
    """Kept, and sent oldest first once it is enabled again."""

    DROP = "drop"
