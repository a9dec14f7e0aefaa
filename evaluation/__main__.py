"""Measure the accuracy of this server by subject, and print each figure beside its goal.

    python -m evaluation [--corpus FOLDER] [--engine embedded] [--only words,seams] [--seams 200] [--hour]

Without a corpus, the project's own is used: the sample and the clips of its tests. They only show that everything works.
The exit status is 1 if a goal is missed on a given corpus.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from benchmarks.stack import machine
from evaluation import (
    costs,
    diarization,
    hotwords,
    language,
    meaning,
    seams,
    voice_profiles,
    word_times,
    words,
)
from evaluation.recordings import OWN
from evaluation.report import Table
from evaluation.transcribing import ENGINES, make_engine

AN_HOUR = 3600.0

Subject = Callable[[], list[Table]]


def subjects(asked: argparse.Namespace) -> Mapping[str, Subject]:
    """Return the subjects by name. An engine is made once, and only if a subject needs it."""
    corpus = asked.corpus or OWN
    engine = cache(lambda: make_engine(asked.engine))
    return {
        "words": lambda: words.measure(corpus, engine()),
        "times": lambda: word_times.measure(corpus, engine()),
        "speakers": lambda: diarization.tables(corpus),
        "seams": lambda: seams.measure(corpus, engine(), asked.seams),
        "profiles": lambda: voice_profiles.tables(corpus),
        "hotwords": lambda: hotwords.measure(corpus, engine()),
        "language": language.measure,
        "meaning": meaning.measure,
        "costs": lambda: costs.measure(corpus, asked.engine, AN_HOUR if asked.hour else 0.0),
    }


def main(arguments: list[str] | None = None) -> int:
    """Measure the requested subjects."""
    parser = argparse.ArgumentParser(
        prog="python -m evaluation", description="Measure how good this server is."
    )
    parser.add_argument(
        "--corpus", type=Path, help="a folder with manifest.jsonl; without it, the project's own"
    )
    parser.add_argument("--engine", choices=ENGINES, default="embedded")
    parser.add_argument("--only", default="", help="subjects, separated by commas")
    parser.add_argument("--seams", type=int, default=seams.PLANTED, help="how many seams to plant")
    parser.add_argument("--hour", action="store_true", help="costs: of an hour, the corpus over and over")
    asked = parser.parse_args(arguments)
    known = subjects(asked)
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
        for table in known[name]():
            table.show()
            missed += table.missed
        print(f"\n({name}: {time.monotonic() - began:.0f} s)", flush=True)
    print("\nAll goals are met." if not missed else "\nMissed:\n" + "\n".join(f"- {each}" for each in missed))
    return 1 if missed and asked.corpus else 0


if __name__ == "__main__":
    sys.exit(main())
