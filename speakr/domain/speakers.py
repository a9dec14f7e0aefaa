"""Names of speakers, and lists of participants."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from speakr.domain.errors import Invalid
from speakr.domain.statements import Usage

MAX_NAME_LENGTH = 120
MAX_LIST_LENGTH = 1000
"""Characters of a recording's list of participants."""

_MAX_READ = 10_000
"""Longer texts are not names."""
_LABEL = re.compile(r"SPEAKER_\d+", re.IGNORECASE)
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
"""Control characters, those that turn the text around them or have no width, and halves of characters."""
_JOINERS = "\u200c\u200d"
"""Some scripts need them, but only between other characters."""


def is_label(text: str) -> bool:
    """Return True if a text is an engine's label of an unknown speaker (`SPEAKER_00`)."""
    return _LABEL.fullmatch(text) is not None


def tidy(text: str) -> str:
    """Return a name on one line, without surrounding blanks and invisible characters."""
    one_line = " ".join(text.strip()[:_MAX_READ].split())
    seen = _UNSEEN.sub("", one_line).strip(_JOINERS)
    return unicodedata.normalize("NFC", " ".join(seen.split()))


def check(name: str, field: str) -> None:
    """Raise `Invalid` for a tidied text that cannot be a speaker's name."""
    if len(name) > MAX_NAME_LENGTH:
        sentence, message = "is too long", f"has at most {MAX_NAME_LENGTH} characters"
    elif "," in name:
        sentence, message = "cannot hold a comma", "must not hold a comma: commas separate participants"
    elif is_label(name):
        sentence, message = "cannot be a label", f"is the label of a speaker without a name: {name}"
    else:
        return
    raise Invalid(f"Speaker name {sentence}: it {message}", errors={field: [message]})


def listed(names: Iterable[str]) -> str | None:
    """Return names as a recording's list of participants, without labels.

    It has as many whole names as fit. The list is for display and search; speakers are stored elsewhere.
    """
    text = ""
    for name in sorted(
        {name for name in names if not is_label(name)}, key=lambda name: (name.casefold(), name)
    ):
        longer = f"{text}, {name}" if text else name
        if len(longer) <= MAX_LIST_LENGTH:
            text = longer
    return text or None


def renamed(participants: str | None, old: str, new: str) -> str | None:
    """Return a list of participants with one name replaced and the rest unchanged."""
    items = (participants or "").split(",")
    if old not in [item.strip() for item in items]:
        return participants
    kept: list[str] = []
    is_there = False
    for item in items:
        name = item.strip()
        if name in {old, new}:
            if is_there:
                continue
            is_there = True
            item = item.replace(name, new, 1)  # noqa: PLW2901 - the blanks around it stay
        kept.append(item)
    return ",".join(kept).strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Identification:
    """A name, or None, for every label asked for. Each name is spoken in the recording or was known before."""

    names: Mapping[str, str | None]
    usage: Usage = field(default_factory=Usage)
