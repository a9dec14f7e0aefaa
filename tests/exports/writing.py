"""Whole files of a format."""

from __future__ import annotations

from collections.abc import Sequence

from speakr.domain.transcript import Segment
from speakr.exports import EXPORTERS
from speakr.exports.base import Source


def written(name: str, segments: Sequence[Segment]) -> str:
    return "".join(str(piece) for piece in EXPORTERS[name].write(Source(segments=segments)))
