"""How fast corrections are aligned: 10,000 words with 200 edits, and text that is meant to be slow.

    python -m benchmarks.alignment

Prints medians of five runs, on the clock and of processor time; the goal holds for processor time.
"""

from __future__ import annotations

import random
import resource
import statistics
import sys
import time
from collections.abc import Callable

from benchmarks.stack import machine, print_table
from speakr.domain.corrected_text import share_out
from speakr.domain.transcript import Word
from speakr.domain.word_alignment import align

RUNS = 5
WORDS = 10_000
EDITS = 200
PER_SEGMENT = 20
GOAL_SECONDS = 0.3


def corrected(words: list[str], dice: random.Random) -> list[str]:
    """Replace, insert or delete a word, 200 times."""
    new = list(words)
    for _ in range(EDITS):
        at = dice.randrange(len(new))
        match dice.randrange(3):
            case 0:
                new[at] = "corrected"
            case 1:
                new.insert(at, "inserted")
            case _:
                del new[at]
    return new


def measured(work: Callable[[], object]) -> tuple[float, float]:
    """Return the medians of seconds on the clock and of processor time."""
    wall, processor = [], []
    for _ in range(RUNS):
        began, began_cpu = time.perf_counter(), time.process_time()
        work()
        wall.append(time.perf_counter() - began)
        processor.append(time.process_time() - began_cpu)
    return statistics.median(wall), statistics.median(processor)


def main() -> int:
    dice = random.Random(1)
    vocabulary = [f"word{number}" for number in range(2_000)]
    words = [dice.choice(vocabulary) for _ in range(WORDS)]
    timed = [Word(word, at * 0.4, at * 0.4 + 0.3, 0.9) for at, word in enumerate(words)]
    lines = [" ".join(words[at : at + PER_SEGMENT]) for at in range(0, WORDS, PER_SEGMENT)]
    text = " ".join(corrected(words, dice))
    two = [Word(dice.choice("ab"), at * 0.4, at * 0.4 + 0.3, 0.9) for at in range(WORDS)]
    rows = {
        "one segment": measured(lambda: align(timed, text, 0.0, WORDS * 0.4)),
        f"shared out among {len(lines)} segments": measured(lambda: share_out(lines, text)),
        "1 MB of one word": measured(lambda: align(timed, "no " * 333_333, 0.0, WORDS * 0.4)),
        "1 MB of two words at random": measured(
            lambda: align(two, " ".join(dice.choices("ab", k=500_000)), 0.0, WORDS * 0.4)
        ),
    }
    print(machine())
    print_table(
        f"{WORDS} words, {EDITS} edits",
        ["what", "wall s", "CPU s"],
        [[name, f"{wall:.3f}", f"{cpu:.3f}"] for name, (wall, cpu) in rows.items()],
    )
    print(f"\npeak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    is_met = rows["one segment"][1] <= GOAL_SECONDS
    print(f"goal, {GOAL_SECONDS} s: {'met' if is_met else 'missed'}")
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
