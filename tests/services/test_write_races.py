"""Writing operations at the same moment on PostgreSQL: each succeeds or is refused; none fails.

`python -m benchmarks.write_races` runs all pairs for longer.
"""

from __future__ import annotations

import random

import pytest
from flask import Flask

from tests.support.write_operations import build, is_wrong, race

PAIRS = [
    ("delete", "worker: transcribe"),
    ("delete", "worker: fail"),
    ("delete", "cancel job"),
    ("delete", "transcribe"),
    ("batch delete", "worker: transcribe"),
    ("batch delete", "batch transcribe"),
    ("batch delete", "delete tag"),
    ("batch delete", "forget voices"),
    ("delete another", "merge"),
    ("delete another", "summarize"),
    ("delete another", "correct"),
    ("delete folder", "change folder"),
    ("delete tag", "add tag"),
    ("delete webhook", "change title"),
    ("delete webhook", "batch change"),
    ("delete webhook", "worker: transcribe"),
    ("delete webhook", "dispatcher"),
    ("delete user", "worker: transcribe"),
    ("delete user", "batch change"),
    ("delete user", "dispatcher"),
    ("deactivate user", "worker: transcribe"),
    ("rename speaker", "name speaker"),
    ("delete speaker", "worker: transcribe"),
    ("worker: die", "cancel job"),
]
ROUNDS = 3


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_operations_at_the_same_moment_do_not_fail(app: Flask) -> None:
    dice = random.Random(1)  # noqa: S311 - the same order in every run
    wrong = []
    for pair in PAIRS * ROUNDS:
        names = list(pair * 2)
        dice.shuffle(names)
        answers = race(build(app), tuple(names))
        wrong += [(pair, *answer) for answer in answers if is_wrong(answer[1])]
    assert not wrong
