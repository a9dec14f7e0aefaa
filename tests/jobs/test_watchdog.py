"""A process that hangs is ended by the kernel, one that shows signs of life is not."""

from __future__ import annotations

import signal
import subprocess
import sys

from speakr.jobs import watchdog

PROGRAM = """
import time
from speakr.jobs import watchdog
watchdog.enable()
with watchdog.watching(1.0):
    for _ in range({breaths}):
        time.sleep(0.4)
        watchdog.reset(1.0)
    {then}
print("alive")
"""


def end_of(**words: object) -> tuple[int, str]:
    program = PROGRAM.format(**words)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    return done.returncode, done.stdout


def test_a_horse_that_hangs_is_ended():
    assert end_of(breaths=0, then="time.sleep(50)") == (-signal.SIGALRM, "")


def test_a_horse_that_resets_the_alarm_lives_on_and_the_alarm_ends():
    assert end_of(breaths=4, then="pass; watchdog.reset(0); time.sleep(1.2)") == (0, "alive\n")


def test_other_processes_are_left_alone():
    before = signal.getitimer(signal.ITIMER_REAL)
    with watchdog.watching(0.001):
        assert signal.getitimer(signal.ITIMER_REAL)[0] == 0 or before[0] > 0
