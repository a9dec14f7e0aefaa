"""Sources of statements: kept as segment and quote, checked again whenever they are shown.

People edit transcripts and transcribe anew, so that a quote which stood there once may not stand there now. What no
longer resolves is not shown, and a statement that loses its last source is shown as unverified.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from speakr.domain.statements import Source, Statement
from speakr.services.speech import transcripts

Stored = Sequence[tuple[int, str]]
"""[segment id, quote] each."""
_MAX_OPENING_LENGTH = 200


def keep(sources: Iterable[Source], segment_ids: Sequence[int]) -> list[list[Any]]:
    """Return sources as they are kept; lines are positions in `segment_ids`."""
    return [[segment_ids[source.line], source.quote] for source in sources]


def keep_claim(claim: Statement, segment_ids: Sequence[int]) -> dict[str, Any]:
    """Return a statement as it is kept."""
    return {
        "text": claim.text,
        "verified": claim.is_verified,
        "sources": keep(claim.sources, segment_ids),
    }


class Transcript:
    """A recording's segments as they are now, to look quotes up in."""

    def __init__(self, recording_id: int) -> None:
        rows = transcripts.rows_of(recording_id)
        self.rows: Sequence[Any] = rows
        self._places = {row.id: at for at, row in enumerate(rows)}

    def show(self, sources: Stored) -> list[dict[str, Any]]:
        """Return those sources that stand in the transcript, as the wire shows them (`SegmentSourceOut`)."""
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
        """Return sources and mark of a kept statement."""
        sources = self.show(kept["sources"])
        return {"sources": sources, "unverified": not (kept["verified"] and sources)}

    def place_of(self, segment_id: int) -> int | None:
        """Return the position of a segment, if it is still there."""
        return self._places.get(segment_id)


def opening(text: str) -> str:
    """Return the first words of a segment as a quote."""
    plain = _plain(text)
    return plain if len(plain) <= _MAX_OPENING_LENGTH else plain[:_MAX_OPENING_LENGTH].rpartition(" ")[0]


def _plain(text: str) -> str:
    return " ".join(text.split())
