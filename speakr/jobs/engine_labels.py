"""The speaker labels that engines give: which results have them, and whether they cover a source."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def are_given(speakers: Iterable[str], *, is_diarized: bool) -> bool:
    """Return whether an engine separated the speakers of a chunk. Some do so without declaring it.

    speakers: the label of each segment; is_diarized: the engine declares that it labels speakers.
    """
    return is_diarized or len(set(speakers)) > 1


def are_in(result: Mapping[str, Any]) -> bool:
    """Return whether an engine separated the speakers of a chunk, by the stored result of the chunk."""
    labels = (kept["speaker"] for kept in result.get("segments", ()))
    return are_given(labels, is_diarized=bool(result.get("is_diarized")))


def are_enough(results: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether the labels of the engines cover all chunks of a source.

    If a second engine without diarization transcribed some chunks, those of the first one do not. Then Speakr's own
    voice vectors decide, if there are any.
    """
    enough = all if any(result.get("voices") for result in results) else any
    return bool(results) and enough(are_in(result) for result in results)
