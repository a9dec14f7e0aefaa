"""The words for what a webhook's owner may choose."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from speakr.domain.events import EventType
from speakr.domain.flat_recordings import Keys


class PayloadStyle(StrEnum):
    """How much of an event is sent."""

    FULL = "full"
    THIN = "thin"
    """Ids only: the receiver asks the API for the rest, so that nothing private passes through it."""
    FLAT = "flat"
    """The recording with its texts as one flat object, with keys that the owner names; no event around it."""


class SampleStyle(StrEnum):
    """The payload styles that have an event around them, which is what an example shows."""

    FULL = "full"
    THIN = "thin"


FLAT_EVENTS = (EventType.TRANSCRIPTION_COMPLETED, EventType.SUMMARY_COMPLETED)
"""The events of flat payloads: those of one recording with a transcript."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountWebhook:
    """A webhook that a user turns on with a preference that holds its address.

    It gets each new recording once, as a flat payload, when the first transcript is stored.
    """

    preference: str
    """The name of the preference."""
    keys: Keys


class WhenPaused(StrEnum):
    """What becomes of events while a webhook is paused."""

    HOLD = "hold"
    """Kept, and sent oldest first once it is enabled again."""

    DROP = "drop"
