"""Speed of aligning corrections: 10,000 words with 200 edits, and texts that are hard to align.

python -m benchmarks.alignment

Prints medians of five runs, as elapsed and as processor time; the goal applies to processor time.
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
from speakr.domain.transcript_edits import MAX_WORDS, change_segment
from speakr.domain.transcript_history import (
    StoredSegment,
    changes_between,
    packed,
    packed_segments,
    put_back,
    unpacked,
    word_rows,
)
from speakr.domain.word_alignment import align

RUNS = 5
WORDS = 10_000
EDITS = 200
PER_SEGMENT = 20
GOAL_SECONDS = 0.3


def corrected(words: list[str], rng: random.Random) -> list[str]:
    """Replace, insert or delete a word, 200 times."""
    new = list(words)
    for _ in range(EDITS):
        at = rng.randrange(len(new))
        match rng.randrange(3):
            case 0:
                new[at] = "corrected"
            case 1:
                new.insert(at, "inserted")
            case _:
                del new[at]
    return new


def measured(work: Callable[[], object]) -> tuple[float, float]:
    """Return the medians of elapsed seconds and of processor time."""
    wall, processor = [], []
    for _ in range(RUNS):
        began, began_cpu = time.perf_counter(), time.process_time()
        work()
        wall.append(time.perf_counter() - began)
        processor.append(time.process_time() - began_cpu)
    return statistics.median(wall), statistics.median(processor)


def history_bytes(timed: list[Word], rng: random.Random) -> tuple[int, int, float]:
    """Correct a word in a segment 200 times; return bytes of one copy, bytes of all deltas, and seconds to restore."""
    segments = [
        StoredSegment(
            at,
            timed[at].start,
            timed[at + PER_SEGMENT - 1].end,
            " ".join(word.text for word in timed[at : at + PER_SEGMENT]),
            "SPEAKER_00",
            0.9,
            overlap=False,
            words=word_rows(timed[at : at + PER_SEGMENT]),
        )
        for at in range(0, WORDS, PER_SEGMENT)
    ]
    whole, deltas = len(packed_segments(segments)), []
    first = segments
    for _ in range(EDITS):
        index = rng.randrange(len(segments))
        words = segments[index].text.split()
        words[rng.randrange(len(words))] = "corrected"
        changed = change_segment(segments, index, text=" ".join(words))
        deltas.append(packed(changes_between(segments, changed)))
        segments = changed
    began = time.perf_counter()
    for delta in reversed(deltas):
        segments = put_back(segments, unpacked(delta))
    assert segments == first
    return whole, sum(map(len, deltas)), time.perf_counter() - began


def main() -> int:
    rng = random.Random(1)
    vocabulary = [f"word{number}" for number in range(2_000)]
    words = [rng.choice(vocabulary) for _ in range(WORDS)]
    timed = [Word(word, at * 0.4, at * 0.4 + 0.3, 0.9) for at, word in enumerate(words)]
    lines = [" ".join(words[at : at + PER_SEGMENT]) for at in range(0, WORDS, PER_SEGMENT)]
    text = " ".join(corrected(words, rng))
    two = [Word(rng.choice("ab"), at * 0.4, at * 0.4 + 0.3, 0.9) for at in range(WORDS)]
    rows = {
        "one segment": measured(lambda: align(timed, text, 0.0, WORDS * 0.4)),
        f"distributed over {len(lines)} segments": measured(lambda: share_out(lines, text)),
        "1 MB of one word": measured(lambda: align(timed, "no " * 333_333, 0.0, WORDS * 0.4)),
        "1 MB of two words at random": measured(
            lambda: align(two, " ".join(rng.choices("ab", k=500_000)), 0.0, WORDS * 0.4)
        ),
        f"{MAX_WORDS} characters without spaces": measured(
            lambda: align(timed, "\u597d" * MAX_WORDS, 0.0, WORDS * 0.4)
        ),
    }
    print(machine())
    print_table(
        f"{WORDS} words, {EDITS} edits",
        ["what", "wall s", "CPU s"],
        [[name, f"{wall:.3f}", f"{cpu:.3f}"] for name, (wall, cpu) in rows.items()],
    )
    whole, deltas, seconds = history_bytes(timed, rng)
    print_table(
        f"history of {EDITS} corrections of one word",
        ["one copy, bytes", "all deltas, bytes", "read the first text, s"],
        [[str(whole), str(deltas), f"{seconds:.3f}"]],
    )
    print(f"\npeak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    is_met = rows["one segment"][1] <= GOAL_SECONDS
    print(f"goal, {GOAL_SECONDS} s: {'met' if is_met else 'missed'}")
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
