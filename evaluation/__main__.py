"""Measure the accuracy of this server by subject, and print each figure beside its goal.

    python -m evaluation [--corpus FOLDER] [--engine embedded,whisper] [--only words,seams] [--seams 200] [--hour]

Without a corpus, the project's own is used: the sample and the clips of its tests. They only show that everything works.
The exit status is 1 if a goal is missed on a given corpus.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

from benchmarks.stack import machine
from evaluation import (
    costs,
    diarization,
    hotwords,
    language,
    languages,
    seams,
    voice_profiles,
    word_times,
    words,
)
from evaluation.recordings import OWN
from evaluation.report import Table, show_side_by_side
from evaluation.transcribing import ENGINES, make_engine

AN_HOUR = 3600.0

Subject = Callable[[], list[Table]]


def subjects(asked: argparse.Namespace, engine_name: str) -> Mapping[str, Subject]:
    """Return the subjects by name. An engine is made once, and only if a subject needs it."""
    corpus = asked.corpus or OWN
    engine = cache(lambda: make_engine(engine_name))
    return {
        "words": lambda: words.measure(corpus, engine()),
        "times": lambda: word_times.measure(corpus, engine()),
        "speakers": lambda: diarization.tables(corpus),
        "seams": lambda: seams.measure(corpus, engine(), asked.seams),
        "profiles": lambda: voice_profiles.tables(corpus),
        "hotwords": lambda: hotwords.measure(corpus, engine()),
        "languages": lambda: languages.measure(corpus, engine()),
        "language": language.measure,
        "costs": lambda: costs.measure(corpus, engine_name, AN_HOUR if asked.hour else 0.0),
    }


def main(arguments: list[str] | None = None) -> int:
    """Measure the requested subjects."""
    parser = argparse.ArgumentParser(
        prog="python -m evaluation", description="Measure how good this server is."
    )
    parser.add_argument(
        "--corpus", type=Path, help="a folder with manifest.jsonl; without it, the project's own"
    )
    parser.add_argument("--engine", default="embedded", help="one or more, separated by commas")
    parser.add_argument("--only", default="", help="subjects, separated by commas")
    parser.add_argument("--seams", type=int, default=seams.PLANTED, help="how many seams to plant")
    parser.add_argument("--hour", action="store_true", help="costs: of an hour, the corpus over and over")
    asked = parser.parse_args(arguments)
    names = [name.strip() for name in asked.engine.split(",")]
    if unknown := set(names) - set(ENGINES):
        parser.error(f"no such engine: {', '.join(sorted(unknown))}; there are {', '.join(ENGINES)}")
    by_engine = {name: subjects(asked, name) for name in names}
    known = next(iter(by_engine.values()))
    chosen = [name.strip() for name in asked.only.split(",") if name.strip()] or list(known)
    if unknown := set(chosen) - set(known):
        parser.error(f"no such subject: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    if asked.corpus and not (asked.corpus / "manifest.jsonl").is_file():
        parser.error(f"{asked.corpus} holds no manifest.jsonl")
    print(
        f"{machine()}; engine {asked.engine}; corpus {asked.corpus.name if asked.corpus else 'of the project'}"
    )
    missed: list[str] = []
    for name in chosen:
        began = time.monotonic()
        missed += _shown({engine: of_engine[name]() for engine, of_engine in by_engine.items()})
        print(f"\n({name}: {time.monotonic() - began:.0f} s)", flush=True)
    print("\nAll goals are met." if not missed else "\nMissed:\n" + "\n".join(f"- {each}" for each in missed))
    return 1 if missed and asked.corpus else 0


def _shown(measured: Mapping[str, Sequence[Table]]) -> list[str]:
    """Print the tables of a subject; return the figures that miss their goals."""
    if len(measured) == 1:
        for table in next(iter(measured.values())):
            table.show()
    else:
        show_side_by_side(measured)
    return [
        missed if len(measured) == 1 else f"{engine}: {missed}"
        for engine, tables in measured.items()
        for table in tables
        for missed in table.missed
    ]


if __name__ == "__main__":
    sys.exit(main())
