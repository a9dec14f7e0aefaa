"""Sources of statements: stored as segment id and quote, and checked whenever they are shown.

Users edit transcripts and transcribe recordings again, so a stored quote may no longer occur in its segment. Such a
source is not shown, and a statement without a remaining source is shown as unverified.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from speakr.domain.statements import MAX_SOURCES, Source, Statement
from speakr.services.speech import transcripts

Stored = Sequence[tuple[int, str]]
"""Pairs of segment id and quote."""
_MAX_OPENING_LENGTH = 200


def keep(sources: Iterable[Source], segment_ids: Sequence[int]) -> list[list[Any]]:
    """Return sources in stored form; their lines are positions in `segment_ids`."""
    return [[segment_ids[source.line], source.quote] for source in itertools.islice(sources, MAX_SOURCES)]


def keep_claim(claim: Statement, segment_ids: Sequence[int]) -> dict[str, Any]:
    """Return a statement in stored form."""
    return {
        "text": claim.text,
        "verified": claim.is_verified,
        "sources": keep(claim.sources, segment_ids),
    }


class Transcript:
    """The current segments of a recording, in which quotes are looked up."""

    def __init__(self, recording_id: int) -> None:
        rows = transcripts.rows_of(recording_id)
        self.rows: Sequence[Any] = rows
        self._places = {row.id: at for at, row in enumerate(rows)}

    def show(self, sources: Stored) -> list[dict[str, Any]]:
        """Return the sources whose quotes occur in the transcript, in the API's form (`SegmentSourceOut`)."""
        shown = []
        for segment_id, quote in sources:
            at = self._places.get(segment_id)
            if at is None or _plain(quote) not in _plain(self.rows[at].text):
                continue
            row = self.rows[at]
            shown.append(
                {
                    "segment_id": segment_id,
                    "segment_index": at,
                    "start_time": row.start,
                    "end_time": row.end,
                    "speaker": row.speaker,
                    "quote": quote,
                }
            )
        return shown

    def show_claim(self, kept: Mapping[str, Any]) -> dict[str, Any]:
        """Return the sources of a stored statement and whether it is unverified."""
        sources = self.show(kept["sources"])
        return {"sources": sources, "unverified": not (kept["verified"] and sources)}

    def place_of(self, segment_id: int) -> int | None:
        """Return the position of a segment; None if it no longer exists."""
        return self._places.get(segment_id)


def opening(text: str) -> str:
    """Return the first words of a segment as a quote."""
    plain = _plain(text)
    return plain if len(plain) <= _MAX_OPENING_LENGTH else plain[:_MAX_OPENING_LENGTH].rpartition(" ")[0]


def _plain(text: str) -> str:
    return " ".join(text.split())
