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
ROUNDS = 6


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("pair", PAIRS, ids=" and ".join)
def test_operations_at_the_same_moment_do_not_fail(app: Flask, pair: tuple[str, str]) -> None:
    dice = random.Random(" ".join(pair))  # noqa: S311 - the same order in every run
    for _ in range(ROUNDS):
        names = list(pair * 2)
        dice.shuffle(names)
        answers = race(build(app), tuple(names))
        wrong = [answer for answer in answers if is_wrong(answer[1])]
        assert not wrong, answers
