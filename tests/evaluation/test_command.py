"""The command, on audio of the project."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from evaluation import hotwords, words
from evaluation.__main__ import main
from evaluation.recordings import OWN, Entry, entries, samples_of, text_of, turns_of
from speakr.connectors.transcription.base import AudioChunk, Capabilities
from speakr.domain.transcript import Hints, Hypothesis, Segment, Word
from speakr.media.base import SAMPLE_RATE

CLIPS = ("cards_001", "cards_003", "cards_005")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A few short clips of the project's own corpus."""
    lines = []
    for entry in entries(OWN):
        if entry["id"] in CLIPS:
            file = os.path.relpath((OWN / entry["file"]).resolve(), tmp_path)
            lines.append(json.dumps({**entry, "file": file}))
    (tmp_path / "manifest.jsonl").write_text("\n".join(lines))
    return tmp_path


def test_a_corpus_is_measured(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--corpus", str(corpus), "--only", "words,seams,costs", "--seams", "1"])
    shown = capsys.readouterr().out
    assert re.search(r"^\d+ x .+, Python 3.*; engine embedded; corpus ", shown)
    for row in (
        r"WER, people reading \| ≤ 6 % \| [\d.]+ %",
        r"words lost or doubled, scripted \| ≤ 0 \| 0 \| met \| 4 seams",
        r"words lost, engine embedded \| ≤ 0 \| \d \| \w+ \| 1 seams",
        r"CPU seconds for a second \| ≤ 0.15 \| 0\.\d+",
        r"peak memory \| ≤ 450 MB \| [1-9]\d+ MB",
    ):
        assert re.search(row, shown), row


def test_without_a_corpus_the_projects_own_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "speakers"]) == 0
    shown = capsys.readouterr().out
    assert "corpus of the project" in shown
    assert "| dialogue |  | 0.0 % |  | 2 of 2 speakers" in shown


@pytest.mark.parametrize(
    "wrong", [["--only", "words,weather"], ["--corpus", "/nowhere"], ["--engine", "ear"]]
)
def test_what_cannot_be_measured_is_said(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(wrong)
    assert stopped.value.code == 2
    assert capsys.readouterr().err


def test_the_own_corpus_is_whole() -> None:
    for entry in entries(OWN):
        samples = samples_of(OWN, entry)
        assert text_of(entry) is not None
        assert all(end <= len(samples) / SAMPLE_RATE for _, end, _ in turns_of(OWN, entry))
        if entry["kind"] == "names":
            assert set(entry["names"]) <= set(entry["text"].split())


class Parrot:
    """An engine that says the same of each chunk, whatever is in it."""

    name = "parrot"
    capabilities = Capabilities(hotwords=True, target_chunk_seconds=60.0, max_chunk_seconds=60.0)
    default_model = None
    models = ()

    def __init__(self, text: str) -> None:
        self._text = text

    def capabilities_with(self, model: str | None) -> Capabilities:
        return self.capabilities

    def transcribe(self, chunk: AudioChunk, hints: Hints, on_segment: object) -> Hypothesis:
        start, end = chunk.spans[0].start, chunk.spans[-1].end
        spoken = tuple(Word(text, start, end, 0.9) for text in self._text.split())
        return Hypothesis((Segment(start, end, self._text, words=spoken),))


def measured(corpus: Path, entry: Entry, text: str) -> dict[str, float]:
    (corpus / "manifest.jsonl").write_text(json.dumps(entry))
    return {
        figure.name: figure.value for table in words.measure(corpus, Parrot(text)) for figure in table.figures
    }


def test_any_engine_is_scored(corpus: Path) -> None:
    (entry, *_) = list(entries(corpus))
    assert measured(corpus, entry, "ten of clubs") == {"WER, people reading": 0.0}
    assert measured(corpus, entry, "Seven, of hearts!")["WER, people reading"] == pytest.approx(200 / 3)
    noisy = {**entry, "kind": "noise-noisy", "noise": "pink", "snr_db": 10}
    assert measured(corpus, noisy, "ten of clubs") == {"WER, with noise (pink 10 dB)": 0.0}
    none = {**entry, "kind": "no-speech", "text": ""}
    assert measured(corpus, none, "thanks for watching") == {"words written where there is no speech": 3}


def test_a_name_found_everywhere_is_a_false_hit(corpus: Path) -> None:
    (table,) = hotwords.measure(corpus, Parrot("Zaphod"))
    found = {figure.name: figure.value for figure in table.figures}
    assert found["found in ordinary speech"] == len(CLIPS)
    assert found["names found"] == found["names found without hotwords"] == pytest.approx(100 * 2 / 16)
