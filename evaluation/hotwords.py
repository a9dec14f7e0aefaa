"""Names that no language model knows: how many are found as hotwords, and how many are wrongly found elsewhere.

Names are spoken in the recordings of kind "names", the project's own and those of the corpus; each holds `names`. In ordinary
speech, kind "asr", none of the names may be found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from evaluation.recordings import OWN, Entry, entries, samples_of, text_of
from evaluation.report import Figure, Table, at_least, at_most
from evaluation.transcribing import transcribe_recording
from evaluation.word_errors import normalise
from speakr.connectors.transcription.base import TranscriptionConnector
from speakr.domain.transcript import Hints

GOAL_FOUND = 50.0
"""Percent."""


def measure(corpus: Path, engine: TranscriptionConnector) -> list[Table]:
    """Transcribe names with and without hotwords, and ordinary speech with hotwords."""
    title = f"Hotwords of {engine.name}"
    if not engine.capabilities.hotwords:
        return [Table(title, absent="This engine supports none.")]
    spoken = list(_of_kind("names", {OWN.resolve(), corpus.resolve()}))
    names = sorted({name for _, entry in spoken for name in entry["names"]})
    hints = Hints(hotwords=", ".join(names))
    before = found = total = false = words = 0
    for home, entry in spoken:
        samples = samples_of(home, entry)
        total += len(entry["names"])
        before += count_found(entry["names"], transcribe_recording(engine, samples).text)
        found += count_found(entry["names"], transcribe_recording(engine, samples, hints).text)
    for home, entry in _of_kind("asr", [corpus]):
        said = normalise(text_of(entry) or "")
        recognized = transcribe_recording(engine, samples_of(home, entry), hints).text
        words += len(said)
        false += sum(word in names and word not in said for word in normalise(recognized))
    note = f"{total} spoken, {len(names)} different"
    return [
        Table(
            title,
            [
                Figure("names found", 100 * found / total, " %", at_least(GOAL_FOUND), note=note),
                Figure("names found without hotwords", 100 * before / total, " %", note=note),
                Figure("found in ordinary speech", false, "", at_most(0), 0, f"{words} words"),
            ],
        )
    ]


def count_found(names: Iterable[str], recognized: str) -> int:
    """Return how many of the names were found, each at most as often as it was said."""
    left = normalise(recognized)
    count = 0
    for name in names:
        if name in left:
            left.remove(name)
            count += 1
    return count


def _of_kind(kind: str, homes: Iterable[Path]) -> Iterator[tuple[Path, Entry]]:
    for home in homes:
        for entry in entries(home):
            if entry["kind"] == kind:
                yield home, entry
