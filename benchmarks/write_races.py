"""Every pair of writing operations at the same moment on PostgreSQL. No answer may be a 5xx.

python -m benchmarks.write_races [--seconds-per-pair 1] [--only TEXT] [--seed 1]
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

from flask import Flask

from benchmarks.stack import machine, print_table
from speakr import backends as plumbing
from speakr.app import create_app
from speakr.schema import upgrade
from speakr.settings import Settings
from speakr.telemetry.metrics import CONFLICTS
from tests.fakes import MemoryJobNotifier, MemoryLiveFeed
from tests.servers import postgres_server, redis_server
from tests.support.write_operations import OPERATIONS, build, is_wrong, race


def run_pair(app: Flask, pair: tuple[str, str], seconds: float, dice: random.Random) -> Counter[str]:
    """Race two operations, two threads each, again and again; return how often each answer came."""
    counted: Counter[str] = Counter()
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        names = list(pair * 2)
        dice.shuffle(names)
        with app.app_context():
            world = build(app)
        for name, answer in race(world, tuple(names)):
            word = f"{type(answer).__name__}" if isinstance(answer, BaseException) else str(answer)
            counted[word] += 1
            if is_wrong(answer):
                counted["wrong"] += 1
                sys.stderr.write(f"{' and '.join(pair)}: {name}: {answer!r}\n")
    return counted


def make_app(folder: Path, database_url: str, redis_url: str) -> Flask:
    """Build an app on a real database and Redis that notifies no worker."""
    settings = Settings(
        secret_key="a secret key for the races, long enough to pass",  # noqa: S106 - of a throw-away server
        data_dir=folder,
        database_url=database_url,
        redis_url=redis_url,
        rate_limits_enabled=False,
        log_level="CRITICAL",
        min_free_disk_mb=1,
    )
    upgrade(database_url)
    backends = replace(plumbing.connect(settings), notifier=MemoryJobNotifier(), live=MemoryLiveFeed())
    return create_app(settings, backends)


def repeated() -> dict[str, int]:
    """Return the number of repeated units of work by kind of conflict."""
    samples = (sample for metric in CONFLICTS.collect() for sample in metric.samples)
    return {each.labels["kind"]: int(each.value) for each in samples if each.name.endswith("_total")}


def main() -> int:
    """Run the pairs, print the answers, and return 1 if any was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds-per-pair", type=float, default=1.0)
    parser.add_argument("--only", default="", help="pairs with an operation whose name contains this")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    dice = random.Random(asked.seed)
    pairs = [
        pair
        for pair in itertools.combinations_with_replacement(OPERATIONS, 2)
        if any(asked.only in name for name in pair)
    ]
    total: Counter[str] = Counter()
    wrong: list[list[str]] = []
    deadlocked: list[list[str]] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        postgres_server() as database_url,
        redis_server() as redis,
    ):
        app = make_app(Path(folder), database_url, redis.url)
        for pair in pairs:
            before = repeated().get("deadlock", 0)
            counted = run_pair(app, pair, asked.seconds_per_pair, dice)
            if deadlocks := repeated().get("deadlock", 0) - before:
                deadlocked.append([" and ".join(pair), str(deadlocks)])
            total += counted
            if counted["wrong"]:
                wrong.append(
                    [" and ".join(pair), str(counted["wrong"]), str(counted.total() - counted["wrong"])]
                )
    print(f"{machine()}; {len(pairs)} pairs, {asked.seconds_per_pair:g} s each, seed {asked.seed}")
    print_table("Answers", ["answer", "count"], [[word, str(count)] for word, count in sorted(total.items())])
    print_table("Units of work repeated", ["conflict", "count"], [[k, str(n)] for k, n in repeated().items()])
    print_table("Pairs that deadlocked and were repeated", ["pair", "times"], deadlocked)
    print_table("Pairs with a wrong answer", ["pair", "wrong", "of"], wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
